package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"ipcguard/internal/model"
	"ipcguard/internal/plan"
)

const keyHelp = `Make keys for signing plans, for where one person plans and another applies.

"ipcguard key make" makes a key. It writes the private key to a file that only its owner can read, and the public key to
the standard output, as a line for the file of trusted keys on the hosts where plans are applied. "ipcguard plan --sign"
signs with the private key; "ipcguard apply --require-signature" accepts only plans signed with a trusted key. To revoke
a key, remove its line from that file.
`

func (a *app) key() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Make a key for signing plans", Long: keyHelp, Args: subcommands,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var name, output string
	mk := &cobra.Command{
		Use: "make -o FILE", Short: "Make a key: the private part into a file, the public part to the standard output",
		Args: noArguments,
		Long: keyHelp + exitHelp, Example: `  ipcguard key make -o anna.key --name "Anna, night shift" >> trusted-keys`,
		RunE: func(*cobra.Command, []string) error { return a.makeKey(output, name) },
	}
	mk.Flags().StringVarP(&output, "output", "o", "", "the file of the private key; it must not exist")
	mk.Flags().StringVar(&name, "name", "", "name of the key's owner (default: the current user)")
	c.AddCommand(mk)
	return c
}

func (a *app) makeKey(output, name string) error {
	if output == "" {
		return hinted{usage("-o is missing: the file of the private key"), "ipcguard key make -o my.key"}
	}
	if name == "" {
		name = whoami()
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	key := plan.Key{Public: public, Name: name}
	if again, err := plan.ReadTrust([]byte(key.String())); err != nil || len(again) != 1 ||
		again[0].String() != key.String() ||
		strings.ContainsFunc(name, model.Hidden) {
		return usage("--name %q cannot stand on one line", name)
	}
	f, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("key: %w", err), os.Remove(output))
	}
	fmt.Fprintln(a.stdout, key)
	fmt.Fprintf(a.stderr, "%s is the private key, %s. The line above goes into the file of trusted keys.\n", output,
		key.Fingerprint())
	return nil
}

// maxKey bounds a key's file, in bytes; a key has 119.
const maxKey = 16 << 10

// signingKey reads a private key that nobody else may read.
func signingKey(name string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("--sign: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, hinted{
			fmt.Errorf("--sign: others may read %s (mode %04o)", name, info.Mode().Perm()),
			"chmod 600 " + name + ", and make a new key if somebody may have read it",
		}
	}
	b, err := readBounded(name, maxKey)
	if err != nil {
		return nil, fmt.Errorf("--sign: %w", err)
	}
	block, _ := pem.Decode(model.UTF8Text(b))
	if block == nil {
		return nil, hinted{fmt.Errorf("--sign: %s is no key", name), "ipcguard key make makes one"}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("--sign: %s: %w", name, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("--sign: %s is no ed25519 key", name)
	}
	return key, nil
}
