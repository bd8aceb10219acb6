package cli

import "os"

// narrow has nothing to do: the access list of a file comes from its folder.
func narrow(*os.File) error { return nil }
