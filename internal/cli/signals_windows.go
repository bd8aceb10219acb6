package cli

import "os"

func stopSignals() []os.Signal { return nil }

func reloadSignals() []os.Signal { return nil }

func restartSignals() []os.Signal { return nil }
