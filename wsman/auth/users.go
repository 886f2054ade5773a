// Package auth knows who may use the WS-Management endpoint: the users, their
// roles and hashed passwords in one file, and the HTTP authentication schemes
// that turn a request into a cim.Principal.
package auth

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"twinlun/cim"
)

// Config is what Users needs from outside. The zero value is usable.
type Config struct {
	Time   func() time.Time // nil: time.Now
	Rand   io.Reader        // nil: crypto/rand
	Logger *slog.Logger     // nil: none
	Hash   HashParams       // zero: DefaultHashParams
	// HashSlots is how many passwords are checked at once (each takes the
	// memory that Hash says), HashQueue how many may wait. 0: 2 and 64.
	HashSlots, HashQueue int
}

func (c Config) withDefaults() Config {
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Hash = cmp.Or(c.Hash, DefaultHashParams())
	c.HashSlots = cmp.Or(c.HashSlots, 2)
	c.HashQueue = cmp.Or(c.HashQueue, 64)
	return c
}

// User is a user as others see it.
type User struct {
	Name string
	Role cim.Role
}

// Users is the list of users in a file. Several processes may change the file
// at the same time; all of them see a change at once. Safe for concurrent use.
type Users struct {
	path     string
	config   Config
	dummy    hash // checked for users that do not exist
	hashing  *gate
	throttle *throttle

	mu     sync.Mutex // guards what follows
	stamp  stamp
	loaded bool
	byName map[string]*record
	cache  *cache
}

// Open reads the users at path; a file that is not there is an empty list. A
// file that cannot be understood is an error.
func Open(path string, c Config) (*Users, error) {
	c = c.withDefaults()
	if !c.Hash.valid() {
		return nil, fmt.Errorf("hash parameters out of range")
	}
	dummy, err := newHash(c.Rand, c.Hash, "")
	if err != nil {
		return nil, err
	}
	creds, err := newCache(c.Rand)
	if err != nil {
		return nil, err
	}
	u := &Users{
		path: path, config: c, dummy: dummy, cache: creds,
		hashing: newGate(c.HashSlots, c.HashQueue), throttle: newThrottle(),
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.refreshLocked(); err != nil {
		return nil, err
	}
	return u, nil
}

// refreshLocked reads the file again if it is not the one read last. A file that
// cannot be read lets nobody in.
func (u *Users) refreshLocked() error {
	now, err := stampOf(u.path)
	if err != nil {
		return err
	}
	if u.loaded && now == u.stamp {
		return nil
	}
	u.loaded = false
	u.cache.clear()
	users, err := readFile(u.path)
	if err != nil {
		return err
	}
	u.byName = make(map[string]*record, len(users))
	for i := range users {
		u.byName[nameKey(users[i].Name)] = &users[i]
	}
	// A change between the two steps leaves the older stamp, so that the next
	// call reads again.
	u.stamp, u.loaded = now, true
	return nil
}

// Add makes a user: ErrInvalidName, ErrInvalidPassword, ErrInvalidRole,
// ErrUserExists. When it returns nil the user is on stable storage.
func (u *Users) Add(name, password string, role cim.Role) error {
	r, err := u.newRecord(name, password, role)
	if err != nil {
		return err
	}
	return u.update(func(users []record) ([]record, error) {
		if indexOf(users, name) >= 0 {
			return nil, fmt.Errorf("user %s: %w", name, ErrUserExists)
		}
		return append(users, r), nil
	})
}

func (u *Users) newRecord(name, password string, role cim.Role) (record, error) {
	if err := CheckName(name); err != nil {
		return record{}, err
	}
	if !validRole(role) {
		return record{}, ErrInvalidRole
	}
	h, err := u.newHash(password)
	if err != nil {
		return record{}, err
	}
	return record{Name: name, Role: role.String(), Hash: h}, nil
}

func (u *Users) newHash(password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	h, err := newHash(u.config.Rand, u.config.Hash, password)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// Remove takes a user away: ErrNoUser.
func (u *Users) Remove(name string) error {
	return u.update(func(users []record) ([]record, error) {
		i := indexOf(users, name)
		if i < 0 {
			return nil, fmt.Errorf("user %s: %w", name, ErrNoUser)
		}
		return slices.Delete(users, i, i+1), nil
	})
}

// SetPassword gives a user another password: ErrInvalidPassword, ErrNoUser.
func (u *Users) SetPassword(name, password string) error {
	h, err := u.newHash(password)
	if err != nil {
		return err
	}
	return u.change(name, func(r *record) { r.Hash = h })
}

// SetRole gives a user another role: ErrInvalidRole, ErrNoUser.
func (u *Users) SetRole(name string, role cim.Role) error {
	if !validRole(role) {
		return ErrInvalidRole
	}
	return u.change(name, func(r *record) { r.Role = role.String() })
}

// List lists the users by name.
func (u *Users) List() ([]User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.refreshLocked(); err != nil {
		return nil, err
	}
	list := make([]User, 0, len(u.byName))
	for _, r := range u.byName {
		list = append(list, User{Name: r.Name, Role: r.role})
	}
	slices.SortFunc(list, func(a, b User) int { return cmp.Compare(nameKey(a.Name), nameKey(b.Name)) })
	return list, nil
}

func (u *Users) change(name string, f func(*record)) error {
	return u.update(func(users []record) ([]record, error) {
		i := indexOf(users, name)
		if i < 0 {
			return nil, fmt.Errorf("user %s: %w", name, ErrNoUser)
		}
		f(&users[i])
		return users, nil
	})
}

// update reads the file, lets f change the list and writes it, all under the
// lock. An error of f changes nothing.
func (u *Users) update(f func([]record) ([]record, error)) error {
	return withLock(u.path, func() error {
		users, err := readFile(u.path)
		if err != nil {
			return err
		}
		if users, err = f(users); err != nil {
			return err
		}
		if len(users) > maxUsers {
			return fmt.Errorf("there are %d users already", maxUsers)
		}
		return writeFile(u.path, users)
	})
}

func indexOf(users []record, name string) int {
	return slices.IndexFunc(users, func(r record) bool { return nameKey(r.Name) == nameKey(name) })
}
