package auth

import (
	"context"
	"net"
	"net/netip"

	"twinlun/cim"
)

// Verify checks a password and says who it is. remote is the address the
// attempt came from, host:port; failures are counted by host and user. It fails
// with ErrDenied, *ThrottledError, ErrBusy, ctx's error, or an error of the
// file. A user that does not exist takes as long as a wrong password.
func (u *Users) Verify(ctx context.Context, name, password, remote string) (cim.Principal, error) {
	if CheckName(name) != nil || CheckPassword(password) != nil {
		return cim.Principal{}, ErrDenied
	}
	host := sourceOf(remote)
	rec, done, err := u.lookup(name, password, host)
	if err == nil && !done {
		rec, err = u.verifySlow(ctx, name, password, host)
	}
	if err != nil {
		return cim.Principal{}, err
	}
	return cim.Principal{Name: rec.Name, Role: rec.role, Remote: remote}, nil
}

// lookup answers from the throttle and the cache. done is false where the
// password has to be hashed; rec is then nil for a user that does not exist.
func (u *Users) lookup(name, password, host string) (rec *record, done bool, err error) {
	now, key := u.config.Time(), nameKey(name)
	// First of all, even for those that the cache knows: otherwise guesses
	// against a cached user would cost a MAC only.
	if w := u.throttle.wait(host, key, now); w > 0 {
		return nil, false, &ThrottledError{After: w}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.refreshLocked(); err != nil {
		return nil, false, err
	}
	rec = u.byName[key]
	return rec, rec != nil && u.cache.has(key, password, now), nil
}

// verifySlow hashes. Those who waited look first whether another request with
// the same password was there before, or whether they are throttled by now.
func (u *Users) verifySlow(ctx context.Context, name, password, host string) (*record, error) {
	if err := u.hashing.enter(ctx); err != nil {
		return nil, err
	}
	defer u.hashing.leave()
	rec, done, err := u.lookup(name, password, host)
	if err != nil || done {
		return rec, err
	}
	h := u.dummy
	if rec != nil {
		h = rec.hash
	}
	if !h.matches(password) || rec == nil {
		u.throttle.failed(host, nameKey(name), u.config.Time())
		return nil, ErrDenied
	}
	u.throttle.succeeded(host, nameKey(name))
	u.remember(rec, password)
	return rec, nil
}

// remember puts a right password into the cache, unless the file changed while
// it was hashed.
func (u *Users) remember(rec *record, password string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := nameKey(rec.Name)
	if u.loaded && u.byName[key] == rec {
		u.cache.put(key, password, u.config.Time())
	}
}

// sourceOf is whose failures are counted together: an IPv4 address, or the /64
// network of an IPv6 one, which is what one subscriber has at least.
func sourceOf(remote string) string {
	host := hostOf(remote)
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}
