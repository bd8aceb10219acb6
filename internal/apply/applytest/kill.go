package applytest

// Killed unwinds a run as if its process had been killed: no cleanup runs, except what the system does by itself.
type Killed struct{}

// KillAt returns a hook that kills at the nth point, counted from 0, and the names of the points it has reached.
func KillAt(n int) (hook func(string), met *[]string) {
	met = &[]string{}
	return func(point string) {
		*met = append(*met, point)
		if len(*met) == n+1 {
			panic(Killed{})
		}
	}, met
}

// Survive runs f and reports whether it was killed.
func Survive(f func()) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(Killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	f()
	return false
}
