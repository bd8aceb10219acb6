// Package console is what a program at a prompt asks of its system: a console that takes colours and cursor moves, and whether
// it was started as an administrator. Only Windows has to be asked.
package console
