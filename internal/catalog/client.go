package catalog

import (
	"strconv"
	"strings"
)

// ClientKind returns what a client probably is, by what it says of itself (model.Use's Agent); empty if unknown.
func (c *Catalog) ClientKind(agent string) string {
	for _, x := range c.Clients {
		if strings.Contains(agent, x.Says) {
			return x.Kind
		}
	}
	_, number, ok := strings.Cut(agent, " build ")
	build, err := strconv.Atoi(number)
	if !ok || err != nil {
		return ""
	}
	var titles []string
	for _, p := range c.ProductsByBuild(build, "") {
		titles = append(titles, p.Title)
	}
	return strings.Join(titles, " or ")
}
