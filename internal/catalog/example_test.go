package catalog_test

import (
	"fmt"
	"log"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// What a stranger gets follows from the settings, the product and the role; no host is contacted. Here the whole of a
// Samba configuration was read, first with its defaults and then with one more line.
func ExampleCatalog_Evaluate() {
	c, err := catalog.Load()
	if err != nil {
		log.Fatal(err)
	}
	host := catalog.Config{
		Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone},
		Settings: map[string]model.Value{},
		Complete: true,
	}
	show := func(when string) {
		anonymous := c.Evaluate(host, model.Anonymous)[model.Anonymous]
		fmt.Printf("%s: IPC$ %s, accounts %s\n", when, anonymous.Tree, anonymous.Discloses[model.DisclosesAccounts])
	}
	show("defaults")
	host.Settings["restrict anonymous"] = model.Value{Present: true, Data: 2}
	show("restrict anonymous = 2")
	// Output:
	// defaults: IPC$ allowed, accounts allowed
	// restrict anonymous = 2: IPC$ denied, accounts denied
}
