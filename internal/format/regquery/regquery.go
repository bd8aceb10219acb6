// Package regquery parses the output of reg query.
//
//	HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa
//	    restrictanonymous    REG_DWORD    0x1                       four blanks between, or tabs before Vista
//	    Notification Packages    REG_MULTI_SZ    scecli\0rassfm     \0 between the entries of a list
//	    SecureBoot    REG_BINARY    01                              bytes without blanks
//	    (Default)    REG_SZ    text                                 in the language of the system
//
// The names of types are the same in every language. Besides keys and values there are error lines, which are reported,
// and after /s or /f a last line with a count, which is not.
package regquery

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"ipcguard/internal/format/registry"
)

// Error reports an invalid line.
type Error struct {
	Line int
	Why  string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("reg query: line %d: %s", e.Line, e.Why) }

// Limits. The output for all of HKLM has a few million values and is not expected; a key has a few hundred.
const (
	maxValues = 100_000
	maxErrors = 20 // enough to show that this is something else
)

var (
	valueLine = regexp.MustCompile(`^(?: {4}|\t)(.*?)(?: {4}|\t)(REG_[A-Z_]+)(?:(?: {4}|\t)(.*))?$`)
	countLine = regexp.MustCompile(`^\S.*\d`) // End of search: 3 match(es) found.
)

// Is reports whether a text begins like reg query's output: with a key, possibly after a heading or an error.
func Is(head string) bool {
	for line := range strings.Lines(head) {
		if isKey(strings.TrimRight(line, "\r\n")) {
			return true
		}
	}
	return false
}

// isKey reports whether a line is a key: the whole path, from its root's long name.
func isKey(line string) bool {
	_, known := registry.LongRoot(line)
	return known && strings.HasPrefix(line, "HKEY_")
}

// Parse returns the values of an output, each with its key. It returns what could be parsed along with the errors,
// which are joined *Error.
func Parse(text string) ([]registry.Value, error) {
	var out []registry.Value
	var errs []error
	key, n := "", 0
	var last *Error
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if last != nil {
			if errs = append(errs, last); len(errs) >= maxErrors {
				return out, errors.Join(errs...)
			}
			last = nil
		}
		if isKey(line) {
			key = registry.Canonical(line)
			continue
		}
		v, err := value(key, line)
		switch {
		case err != nil:
			last = &Error{n, err.Error()}
		case len(out) == maxValues:
			return out, errors.Join(append(errs,
				&Error{n, fmt.Sprintf("more than %d values; the rest is not read", maxValues)})...)
		default:
			out = append(out, v)
		}
	}
	if last != nil && !countLine.MatchString(lastLine(text)) {
		errs = append(errs, last)
	}
	return out, errors.Join(errs...)
}

// lastLine returns the last line that is not blank.
func lastLine(text string) string {
	text = strings.TrimRight(text, "\r\n \t")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func value(key, line string) (registry.Value, error) {
	m := valueLine.FindStringSubmatch(line)
	switch {
	case m == nil:
		return registry.Value{}, fmt.Errorf("%.80q is no key and no value", line)
	case key == "":
		return registry.Value{}, errors.New("a value before the first key")
	}
	kind, err := registry.ParseType(m[2])
	if err != nil {
		return registry.Value{}, fmt.Errorf("%.40q is no type", m[2])
	}
	name, data := m[1], m[3]
	if strings.HasPrefix(name, "(") && strings.HasSuffix(name, ")") && !strings.ContainsAny(name[1:len(name)-1], "()") {
		name = "" // (Default), (Standard), (par défaut): no setting's name has parentheses
	}
	v := registry.Value{Key: key, Name: name, Type: kind}
	switch kind {
	case registry.DWord, registry.DWordBigEndian, registry.QWord:
		bits := 32
		if kind == registry.QWord {
			bits = 64
		}
		u, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(data), "0x"), 16, bits)
		if err != nil {
			return v, fmt.Errorf("%.40q is no hexadecimal number", data)
		}
		switch kind {
		case registry.DWord:
			v.Data = binary.LittleEndian.AppendUint32(nil, uint32(u))
		case registry.DWordBigEndian:
			v.Data = binary.BigEndian.AppendUint32(nil, uint32(u))
		default:
			v.Data = binary.LittleEndian.AppendUint64(nil, u)
		}
	case registry.SZ, registry.ExpandSZ, registry.Link:
		v.Data = append(registry.EncodeUTF16(data), 0, 0)
	case registry.MultiSZ:
		v.Data = registry.ListData(strings.Split(data, `\0`))
	default:
		if v.Data, err = hex.DecodeString(data); err != nil {
			return v, fmt.Errorf("%.40q is no bytes", data)
		}
	}
	return v, nil
}
