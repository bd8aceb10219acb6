// Package lgpo parses the text form of a registry.pol, which LGPO.exe writes (LGPO /parse) and reads.
//
//	; PARSING Computer POLICY                comment
//	Computer                                 or User, User:Administrators, …
//	SYSTEM\CurrentControlSet\Control\Lsa
//	RestrictAnonymous                        * for all values of the key
//	DWORD:1                                  SZ:, EXSZ:, MULTISZ: with \0 between, QWORD:, BINARY:, DELETE, DELETEALLVALUES, …
//
// An instruction has four lines; blank lines separate instructions. Policies for users are skipped.
package lgpo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
)

// Error reports an invalid line.
type Error struct {
	Line int
	Why  string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("LGPO text: line %d: %s", e.Line, e.Why) }

// Limits: a policy has a few hundred instructions.
const (
	maxInstructions = 100_000
	maxErrors       = 20
)

// Is reports whether a text begins as LGPO's does: comments, then a line that says whose policy it is, then a key.
func Is(head string) bool {
	comment := false
	var lines []string
	for line := range strings.Lines(head) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ";") {
			comment = comment || strings.HasPrefix(line, "; PARSING ") || strings.HasPrefix(line, "; Source file:")
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		if len(lines) == 4 {
			break
		}
	}
	if len(lines) == 0 {
		return comment
	}
	_, machine := whose(lines[0])
	return machine != "" && (len(lines) < 2 && comment || len(lines) > 1 && strings.Contains(lines[1], `\`))
}

// whose parses the line that says whose policy follows.
func whose(line string) (computer bool, kind string) {
	word, _, _ := strings.Cut(line, ":")
	switch {
	case strings.EqualFold(line, "Computer"):
		return true, "Computer"
	case strings.EqualFold(word, "User"):
		return false, "User"
	}
	return false, ""
}

// Parse returns the instructions for the computer. It returns what could be parsed along with the errors, which are
// joined *Error; user counts the instructions for users.
func Parse(text string) (ins []regpol.Instruction, user int, err error) {
	var errs []error
	var lines []string // of the current instruction
	n, start := 0, 0
	take := func() bool {
		if len(lines) == 0 {
			return true
		}
		computer, _ := whose(lines[0])
		switch in, err := instruction(lines); {
		case err != nil:
			errs = append(errs, &Error{start, err.Error()})
		case !computer:
			user++
		case len(ins) == maxInstructions:
			errs = append(errs, &Error{
				start,
				fmt.Sprintf("more than %d instructions; the rest is not read", maxInstructions),
			})
			return false
		default:
			ins = append(ins, in)
		}
		lines = lines[:0]
		return len(errs) < maxErrors
	}
	for line := range strings.Lines(text) {
		n++
		line = strings.Trim(line, "\r\n")
		if strings.HasPrefix(strings.TrimSpace(line), ";") || strings.TrimSpace(line) == "" {
			continue
		}
		if len(lines) == 0 {
			start = n
		}
		if lines = append(lines, line); len(lines) == 4 && !take() {
			return ins, user, errors.Join(errs...)
		}
	}
	if len(lines) > 0 {
		errs = append(errs, &Error{
			start,
			"an instruction has four lines: whose it is, the key, the value's name, and what to do",
		})
	}
	return ins, user, errors.Join(errs...)
}

func instruction(lines []string) (regpol.Instruction, error) {
	fail := func(format string, args ...any) (regpol.Instruction, error) {
		return regpol.Instruction{}, fmt.Errorf(format, args...)
	}
	if _, kind := whose(strings.TrimSpace(lines[0])); kind == "" {
		return fail("%.40q is neither Computer nor User", lines[0])
	}
	key, name, what := strings.Trim(strings.TrimSpace(lines[1]), `\`), strings.TrimSpace(lines[2]), lines[3]
	if name == "*" {
		name = ""
	}
	action, data, _ := strings.Cut(strings.TrimLeft(what, " \t"), ":")
	v := registry.Value{Key: key, Name: name, Data: []byte{}}
	switch strings.ToUpper(strings.TrimSpace(action)) {
	case "DELETE":
		return regpol.Delete(key, name), nil
	case "DELETEALLVALUES":
		return regpol.Instruction{Kind: regpol.DeleteAll, Value: registry.Value{Key: key}}, nil
	case "CREATEKEY":
		return regpol.Instruction{Kind: regpol.AddKey, Value: registry.Value{Key: key}}, nil
	case "DWORD":
		n, err := strconv.ParseUint(strings.TrimSpace(data), 0, 32)
		if err != nil {
			return fail("%.40q is no 32-bit number", data)
		}
		v = registry.NewDWord(key, name, uint32(n))
	case "QWORD":
		n, err := strconv.ParseUint(strings.TrimSpace(data), 0, 64)
		if err != nil {
			return fail("%.40q is no 64-bit number", data)
		}
		v = registry.NewQWord(key, name, n)
	case "SZ":
		v = registry.NewText(key, name, data)
	case "EXSZ":
		v = registry.NewText(key, name, data)
		v.Type = registry.ExpandSZ
	case "MULTISZ":
		v.Type, v.Data = registry.MultiSZ, registry.ListData(strings.Split(data, `\0`))
	case "BINARY":
		b, err := hex.DecodeString(strings.Map(func(r rune) rune {
			if slices.Contains([]rune(" ,"), r) {
				return -1
			}
			return r
		}, data))
		if err != nil {
			return fail("%.40q is no bytes", data)
		}
		v.Type, v.Data = registry.Binary, b
	default:
		return fail("%.40q is nothing that LGPO does", what)
	}
	return regpol.Set(v), nil
}
