package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"twinlun/cmd/twinlun/daemon"
	"twinlun/wsman/auth"
)

// userFlags are the flags of the user commands, which work on the data dir.
type userFlags struct {
	dataDir, config, passwordFile, role string
}

func (a *app) userCommand() *cobra.Command {
	f := &userFlags{}
	c := parent("user", "Users of the WS-Man endpoint, in the data dir; also while the daemon runs",
		a.userAdd(f), a.userList(f), a.userRemove(f), a.userPasswd(f))
	c.PersistentFlags().StringVar(&f.dataDir, "data-dir", "", "data dir of the daemon")
	c.PersistentFlags().StringVar(&f.config, "config", "", "configuration file of the daemon")
	return c
}

func (a *app) userAdd(f *userFlags) *cobra.Command {
	c := &cobra.Command{Use: "add NAME", Short: "Add a user", Args: usageArgs(cobra.ExactArgs(1))}
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "file that holds the password (default: ask)")
	c.Flags().StringVar(&f.role, "role", "admin", "admin, operator or monitor")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		role, err := auth.ParseRole(f.role)
		if err != nil {
			return usageError{fmt.Errorf("--role: %q: %w", f.role, err)}
		}
		if err := auth.CheckName(args[0]); err != nil {
			return usageError{fmt.Errorf("%q: %w", args[0], err)}
		}
		users, err := a.openUsers(f, cmd)
		if err != nil {
			return err
		}
		password, err := a.password(f.passwordFile)
		if err != nil {
			return err
		}
		return users.Add(args[0], password, role)
	}
	return c
}

func (a *app) userPasswd(f *userFlags) *cobra.Command {
	c := &cobra.Command{Use: "passwd NAME", Short: "Change a user's password", Args: usageArgs(cobra.ExactArgs(1))}
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "file that holds the new password (default: ask)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		users, err := a.openUsers(f, cmd)
		if err != nil {
			return err
		}
		password, err := a.password(f.passwordFile)
		if err != nil {
			return err
		}
		return userError(users.SetPassword(args[0], password), args[0])
	}
	return c
}

func (a *app) userRemove(f *userFlags) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a user", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			users, err := a.openUsers(f, cmd)
			if err != nil {
				return err
			}
			return userError(users.Remove(args[0]), args[0])
		},
	}
}

func (a *app) userList(f *userFlags) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List users and roles", Args: usageArgs(cobra.NoArgs)}
	a.outputFlag(c.Flags())
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.checkOutput(); err != nil {
			return err
		}
		users, err := a.openUsers(f, cmd)
		if err != nil {
			return err
		}
		list, err := users.List()
		if err != nil {
			return err
		}
		t := newTable("NAME", "ROLE")
		for _, u := range list {
			t.row(u.Name, u.Role.String())
		}
		return a.print(t)
	}
	return c
}

// openUsers finds the users of the data dir that the daemon would use.
func (a *app) openUsers(f *userFlags, cmd *cobra.Command) (*auth.Users, error) {
	cfg := daemon.Defaults()
	if err := cfg.LoadFile(f.config); err != nil {
		return nil, usageError{err}
	}
	if err := cfg.LoadEnv(os.LookupEnv); err != nil {
		return nil, usageError{err}
	}
	if cmd.Flags().Changed("data-dir") {
		cfg.DataDir = f.dataDir
	}
	if _, err := os.Stat(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("data dir: %w", err)
	}
	return auth.Open(daemon.UsersFile(cfg.DataDir), auth.Config{Hash: a.hash})
}

func userError(err error, name string) error {
	if errors.Is(err, auth.ErrNoUser) {
		return notFoundError{"user", name}
	}
	return err
}

// maxPassword bounds what is read as a password, in bytes.
const maxPassword = 4096

// password reads a password from the first line of a file, or asks for it.
func (a *app) password(file string) (string, error) {
	if file == "" {
		return a.askPassword()
	}
	secret, err := readSecret(file)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	return secret, nil
}

// readSecret is the first line of a file.
func readSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	secret, err := firstLine(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return secret, nil
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case line == "":
		return "", errors.New("the first line is empty")
	case len(line) > maxPassword:
		return "", fmt.Errorf("the first line has more than %d bytes", maxPassword)
	}
	return line, nil
}

// askPassword asks twice on a terminal, and reads a line elsewhere.
func (a *app) askPassword() (string, error) {
	in, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return firstLine(a.In)
	}
	var given [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(a.Err, prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(a.Err)
		if err != nil {
			return "", err
		}
		given[i] = string(b)
	}
	if given[0] != given[1] {
		return "", errors.New("the passwords differ")
	}
	return given[0], nil
}
