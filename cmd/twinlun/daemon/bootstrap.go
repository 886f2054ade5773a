package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"twinlun/cim"
	"twinlun/wsman/auth"
)

// passwordFile is where the first administrator's password is left.
const passwordFile = "initial-admin-password"

// prepareDataDir makes the data dir; only its owner can look into it.
func prepareDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data dir: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("data dir: %w", err)
	}
	return nil
}

// UsersFile is where the users of a data dir are kept.
func UsersFile(dataDir string) string { return filepath.Join(dataDir, "users.json") }

// bootstrapUsers makes the first administrator where there are no users and none
// were ever made, and says so on w.
func bootstrapUsers(users *auth.Users, dataDir string, w io.Writer) error {
	if _, err := os.Stat(UsersFile(dataDir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	password := rand.Text()
	name := filepath.Join(dataDir, passwordFile)
	if err := writeFile(name, []byte(password+"\n")); err != nil {
		return fmt.Errorf("initial password: %w", err)
	}
	if err := users.Add("admin", password, cim.RoleAdmin); err != nil {
		return fmt.Errorf("user admin: %w", err)
	}
	_, err := fmt.Fprintf(w, "twinlun: first start: made the user \"admin\"; its password is in %s\n", name)
	return err
}
