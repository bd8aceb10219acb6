//go:build generating

package catalog

// generated is empty while the table is made: the old one may not fit the types any more.
var generated Catalog
