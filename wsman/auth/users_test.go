package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

func TestUsersLifecycle(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "secret one", cim.RoleOperator))
	require.NoError(t, u.Add("Alice", "secret two", cim.RoleAdmin))
	list, err := u.List()
	require.NoError(t, err)
	require.Equal(t, []User{{"Alice", cim.RoleAdmin}, {"bob", cim.RoleOperator}}, list)
	requireLogin(t, u, "bob", "secret one", cim.RoleOperator)

	require.NoError(t, u.SetPassword("BOB", "changed"))
	_, err = u.Verify(t.Context(), "bob", "secret one", remote)
	require.ErrorIs(t, err, ErrDenied)
	requireLogin(t, u, "bob", "changed", cim.RoleOperator)

	require.NoError(t, u.SetRole("bob", cim.RoleMonitor))
	requireLogin(t, u, "bob", "changed", cim.RoleMonitor)

	require.NoError(t, u.Remove("bob"))
	_, err = u.Verify(t.Context(), "bob", "changed", remote)
	require.ErrorIs(t, err, ErrDenied)
}

func TestUsersRefuse(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"same name", func() error { return u.Add("BOB", "x", cim.RoleAdmin) }, ErrUserExists},
		{"no name", func() error { return u.Add("", "x", cim.RoleAdmin) }, ErrInvalidName},
		{"colon in name", func() error { return u.Add("a:b", "x", cim.RoleAdmin) }, ErrInvalidName},
		{"leading dot", func() error { return u.Add(".a", "x", cim.RoleAdmin) }, ErrInvalidName},
		{"long name", func() error { return u.Add(strings.Repeat("a", 65), "x", cim.RoleAdmin) }, ErrInvalidName},
		{"no password", func() error { return u.Add("a", "", cim.RoleAdmin) }, ErrInvalidPassword},
		{"newline in password", func() error { return u.Add("a", "x\n", cim.RoleAdmin) }, ErrInvalidPassword},
		{"long password", func() error { return u.Add("a", strings.Repeat("x", 1025), cim.RoleAdmin) }, ErrInvalidPassword},
		{"no role", func() error { return u.Add("a", "x", 0) }, ErrInvalidRole},
		{"bad role", func() error { return u.SetRole("bob", 9) }, ErrInvalidRole},
		{"role of nobody", func() error { return u.SetRole("eve", cim.RoleAdmin) }, ErrNoUser},
		{"password of nobody", func() error { return u.SetPassword("eve", "x") }, ErrNoUser},
		{"empty password", func() error { return u.SetPassword("bob", "") }, ErrInvalidPassword},
		{"remove nobody", func() error { return u.Remove("eve") }, ErrNoUser},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.ErrorIs(t, tt.do(), tt.want) })
	}
	list, err := u.List()
	require.NoError(t, err)
	require.Equal(t, []User{{"bob", cim.RoleAdmin}}, list)
}

func TestRoleNames(t *testing.T) {
	for _, r := range []cim.Role{cim.RoleMonitor, cim.RoleOperator, cim.RoleAdmin} {
		got, err := ParseRole(" " + strings.ToUpper(r.String()))
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	_, err := ParseRole("root")
	require.ErrorIs(t, err, ErrInvalidRole)
	require.False(t, validRole(0))
}

func TestFileIsPrivateAndHasNoPassword(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "very secret", cim.RoleAdmin))
	require.NoError(t, u.SetPassword("bob", "more secret"))
	entries, err := os.ReadDir(filepath.Dir(u.path))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"users.json", "users.json.lock"}, names, "no temporary file is left")
	data, err := os.ReadFile(u.path)
	require.NoError(t, err)
	require.NotContains(t, string(data), "secret")
	require.Contains(t, string(data), "$argon2id$v=19$m=64,t=1,p=1$")
}

// A second process is a second Users on the same path.
func TestChangeByAnotherProcessIsSeen(t *testing.T) {
	daemon, c := newUsers(t)
	cli, err := Open(daemon.path, testConfig(c))
	require.NoError(t, err)

	require.NoError(t, cli.Add("bob", "one", cim.RoleAdmin))
	requireLogin(t, daemon, "bob", "one", cim.RoleAdmin)
	requireLogin(t, daemon, "bob", "one", cim.RoleAdmin) // from the cache
	require.NoError(t, cli.SetPassword("bob", "two"))
	_, err = daemon.Verify(t.Context(), "bob", "one", remote)
	require.ErrorIs(t, err, ErrDenied, "a cached password ends with the change")
	requireLogin(t, daemon, "bob", "two", cim.RoleAdmin)
	require.NoError(t, cli.Remove("bob"))
	_, err = daemon.Verify(t.Context(), "bob", "two", remote)
	require.ErrorIs(t, err, ErrDenied)
}

func TestConcurrentChangesLoseNothing(t *testing.T) {
	u, c := newUsers(t)
	other, err := Open(u.path, testConfig(c))
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 10 {
		for j, who := range []*Users{u, other} {
			wg.Go(func() {
				if err := who.Add(fmt.Sprintf("user%d-%d", i, j), "x", cim.RoleMonitor); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	list, err := u.List()
	require.NoError(t, err)
	require.Len(t, list, 20)
}

func TestBrokenFileLetsNobodyIn(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	good, err := os.ReadFile(u.path)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(u.path, good[:len(good)/2], 0o600))
	_, err = u.Verify(t.Context(), "bob", "x", remote)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrDenied)
	require.Error(t, u.Add("eve", "x", cim.RoleAdmin), "a broken file is not overwritten")
	_, err = Open(u.path, Config{Hash: cheap()})
	require.ErrorContains(t, err, u.path)

	require.NoError(t, os.WriteFile(u.path, good, 0o600))
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	dir := filepath.Dir(u.path)
	boom := errors.New("boom")
	err := u.update(func([]record) ([]record, error) { return nil, boom })
	require.ErrorIs(t, err, boom)
	// A list that is in the way of the rename.
	blocked := filepath.Join(dir, "blocked.json")
	require.NoError(t, os.MkdirAll(filepath.Join(blocked, "x"), 0o700))
	require.Error(t, writeFile(blocked, nil))
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp*"))
	require.NoError(t, err)
	require.Empty(t, left)
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
}

// What root writes belongs to whom the folder belongs, so that the daemon reads it.
func TestFilesOfAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	u, _ := newUsers(t)
	const daemon = 12345
	require.NoError(t, os.Chown(filepath.Dir(u.path), daemon, daemon))
	for range 2 {
		require.NoError(t, ignoreMissing(os.Remove(u.path)))
		require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
		require.NoError(t, u.SetRole("bob", cim.RoleMonitor))
		for _, name := range []string{u.path, u.path + ".lock"} {
			var st syscall.Stat_t
			require.NoError(t, syscall.Stat(name, &st))
			require.EqualValues(t, daemon, st.Uid, name)
			require.EqualValues(t, daemon, st.Gid, name)
		}
	}
}

// A file that a crash left half written is in nobody's way.
func TestLeftoverOfACrash(t *testing.T) {
	u, _ := newUsers(t)
	require.NoError(t, os.WriteFile(u.path+".tmp", []byte(strings.Repeat("x", 100000)), 0o644))
	require.NoError(t, u.Add("bob", "x", cim.RoleAdmin))
	requireLogin(t, u, "bob", "x", cim.RoleAdmin)
	_, err := os.Stat(u.path + ".tmp")
	require.ErrorIs(t, err, os.ErrNotExist)
	info, err := os.Stat(u.path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestDecodeRefuses(t *testing.T) {
	h, err := newHash(testConfig(newClock()).Rand, cheap(), "x")
	require.NoError(t, err)
	user := func(name, role, hash string) string {
		return fmt.Sprintf(`{"name":%q,"role":%q,"hash":%q}`, name, role, hash)
	}
	file := func(users ...string) string {
		return `{"version":1,"users":[` + strings.Join(users, ",") + `]}`
	}
	_, err = decode([]byte(file(user("a", "admin", h.String()))))
	require.NoError(t, err)
	tests := map[string]string{
		"empty":           ``,
		"not json":        `users`,
		"unknown version": `{"version":2,"users":[]}`,
		"no version":      `{"users":[]}`,
		"bad name":        file(user("a b", "admin", h.String())),
		"bad role":        file(user("a", "root", h.String())),
		"bad hash":        file(user("a", "admin", "secret")),
		"no hash":         file(`{"name":"a","role":"admin"}`),
		"twice":           file(user("a", "admin", h.String()), user("A", "admin", h.String())),
		"huge":            file(strings.Repeat(" ", maxFile)),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := decode([]byte(text))
			require.Error(t, err)
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"users":[{"name":"a","role":"admin","hash":"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		users, err := decode(data)
		if err != nil {
			return
		}
		for _, r := range users {
			if CheckName(r.Name) != nil || !validRole(r.role) || !r.hash.params.valid() {
				t.Fatalf("accepted %+v", r)
			}
		}
	})
}
