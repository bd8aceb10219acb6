//go:build generating

package catalog

// generated is empty during generation, because the old table may not fit the new types.
var generated Catalog
