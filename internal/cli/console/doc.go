// Package console prepares the system's console for colours and cursor moves, and knows whether the program was started
// as administrator. Only Windows needs either.
package console
