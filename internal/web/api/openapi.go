package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/web/view"
)

var inPath = regexp.MustCompile(`\{([a-z]+)\}`)

// Document returns the OpenAPI 3.1 document of the API, made from the table of routes.
func Document() ([]byte, error) {
	c := components{}
	problems := c.of(reflect.TypeFor[problem]())
	paths := map[string]schema{}
	for _, r := range routes() {
		path := Prefix + r.path
		if paths[path] == nil {
			paths[path] = schema{}
		}
		operation := schema{
			"operationId": r.id, "summary": r.summary, "tags": []string{tagOf(r.path)}, "x-role": r.role,
			"description": forWhom(r),
		}
		var parameters []schema
		for _, m := range inPath.FindAllStringSubmatch(r.path, -1) {
			parameters = append(parameters, schema{
				"name": m[1], "in": "path", "required": true,
				"schema": pathSchema(m[1]),
			})
		}
		for _, p := range r.query {
			parameters = append(parameters, querySchema(p))
		}
		if len(parameters) > 0 {
			operation["parameters"] = parameters
		}
		if r.in != nil {
			operation["requestBody"] = schema{
				"required": true,
				"content":  schema{"application/json": schema{"schema": c.of(reflect.TypeOf(r.in))}},
			}
		} else if len(r.takes) > 0 {
			content := schema{}
			for _, media := range r.takes {
				content[media] = schema{"schema": schema{"description": "a file of " + strconv.FormatInt(r.limit>>20,
					10) + " MiB at most"}}
			}
			operation["requestBody"] = schema{"required": true, "content": content}
		}
		responses := schema{"default": schema{
			"description": "What went wrong (RFC 9457)",
			"content":     schema{"application/problem+json": schema{"schema": problems}},
		}}
		status := r.status
		switch {
		case r.out != nil:
			if status == 0 {
				status = http.StatusOK
			}
			responses[strconv.Itoa(status)] = schema{
				"description": http.StatusText(status),
				"content":     schema{"application/json": schema{"schema": c.of(reflect.TypeOf(r.out))}},
			}
			if r.method == http.MethodGet {
				responses["304"] = schema{"description": "It is as the If-None-Match says"}
			}
		case r.stream != nil:
			content := schema{}
			for _, media := range r.gives {
				content[media] = schema{}
			}
			responses["200"] = schema{"description": "A file or a stream", "content": content}
		default:
			responses["204"] = schema{"description": "Done"}
		}
		operation["responses"] = responses
		method := strings.ToLower(r.method)
		if paths[path][method] != nil {
			return nil, fmt.Errorf("api: two routes for %s %s", r.method, r.path)
		}
		paths[path][method] = operation
	}
	return json.MarshalIndent(schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "ipcguard", "version": "1",
			"summary": "What the page does, for programs",
			"description": "Fields may be added, never renamed. Times are RFC 3339 in UTC. A list says how long the " +
				"whole is; offset and limit choose a part.",
			"license": schema{"name": "Apache License 2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []schema{{"url": "/"}},
		"security": []schema{{"token": []string{}}, {"session": []string{}}},
		"paths":    paths,
		"components": schema{"schemas": c, "securitySchemes": schema{
			"token": schema{
				"type": "http", "scheme": "bearer",
				"description": "A token, made on the page or by addToken",
			},
			"session": schema{
				"type": "apiKey", "in": "cookie", "name": "ipcguard",
				"description": "The page's session, for its own pages",
			},
		}},
	}, "", "  ")
}

// forWhom describes who may call a route.
func forWhom(r route) string {
	s := "For the role " + string(r.role) + " and those above it"
	switch {
	case r.whole:
		s += ", everywhere"
	case r.upload:
		s += "; also for tokens of the scope upload"
	}
	return s + "."
}

// tagOf groups operations by the first part of their path.
func tagOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.TrimSuffix(first, ".json")
}

func pathSchema(name string) schema {
	switch name {
	case "kind":
		return schema{"type": "string", "enum": documentKinds}
	case "view":
		var names []string
		for _, v := range view.Views() {
			names = append(names, v.Name)
		}
		slices.Sort(names)
		return schema{"type": "string", "enum": names}
	}
	return schema{"type": "integer", "minimum": 1}
}

func querySchema(p view.Param) schema {
	s := schema{"type": p.Kind}
	switch {
	case p.Kind == view.Moment:
		s = schema{"type": "string", "description": "a date, or a time as in RFC 3339"}
	case len(p.Enum) > 0:
		s["enum"] = p.Enum
	case p.Kind == view.Text:
		s["maxLength"] = view.MaxParam
	case p.Kind == view.Number:
		s["minimum"] = 0
	}
	out := schema{"name": p.Name, "in": "query", "schema": s}
	if p.About != "" {
		out["description"] = p.About
	}
	if p.Needed {
		out["required"] = true
	}
	return out
}
