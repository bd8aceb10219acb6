package target

import "os"

func owner(os.FileInfo) (uid, gid int)  { return -1, -1 }
func setOwner(*os.File, int, int) error { return nil }
func links(string) int                  { return 1 }
