package replication

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"twinlun/blockdev/pool"
	"twinlun/replication/pairstate"
)

// lockedRand is a source of randomness that many goroutines may read.
type lockedRand struct {
	mu sync.Mutex
	r  io.Reader
}

// Read fills p; see io.Reader.
func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return io.ReadFull(l.r, p)
}

// idBytes is the length of our opaque identifiers before hexadecimal.
const idBytes = 16

// newID makes an opaque identifier that is unique for ever.
func (s *Service) newID() (string, error) {
	var b [idBytes]byte
	if _, err := s.rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make an identifier: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

func (s *Service) newVolumeID() (pool.VolumeID, error) { return pool.NewID(s.rand) }

// maxBase bounds what made-up names are made of, in bytes, so that a number
// still fits behind it.
const maxBase = 160

// base shortens a name to what made-up names can begin with.
func base(name string) string {
	for len(name) > maxBase {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return strings.TrimSpace(name)
}

// checkLabel refuses names that a group or a relationship cannot have.
func checkLabel(name, param string) error {
	const most = 255
	switch {
	case len(name) > most:
		return Errorf(KindInvalid, param, "the name has more than %d bytes", most)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return Errorf(KindInvalid, param, "the name has characters that cannot be printed")
	case strings.TrimSpace(name) != name:
		return Errorf(KindInvalid, param, "the name begins or ends with a space")
	}
	return nil
}

// numbers are those to try next for the stems of made-up names.
type numbers map[string]int

// taken says whether a volume of a pool has the name, in any case.
func (s *Service) taken(ctx context.Context, pool, name string) (bool, error) {
	is, err := named(ctx, s.pools[pool], name)
	if err != nil {
		return false, s.failure("", err)
	}
	return is, nil
}

// named says whether a volume has the name, in any case.
func named(ctx context.Context, p pool.Pool, name string) (bool, error) {
	if namer, ok := p.(pool.Namer); ok {
		return namer.Named(ctx, name)
	}
	all, err := allNames(ctx, p)
	return slices.Contains(all, strings.ToLower(name)), err
}

// allNames gives the names of a pool's volumes in lower case.
func allNames(ctx context.Context, p pool.Pool) ([]string, error) {
	if namer, ok := p.(pool.Namer); ok {
		return namer.Names(ctx)
	}
	vols, err := p.List(ctx)
	all := make([]string, len(vols))
	for i, v := range vols {
		all[i] = strings.ToLower(v.Name)
	}
	return all, err
}

// checkNames gives every new target its name: those asked for first, so that no
// made-up name stands in their way.
func (s *Service) checkNames(ctx context.Context, p *plan) error {
	n := numbers{}
	given := func(m *member) string {
		if m.index < len(p.names) {
			return p.names[m.index]
		}
		return ""
	}
	for _, f := range []func(*member) error{
		func(m *member) error {
			if m.into || given(m) == "" {
				return nil
			}
			return s.takeName(ctx, p, m, given(m), at(p.nameParam, m.index))
		},
		func(m *member) error {
			if m.into || m.name != "" {
				return nil
			}
			return s.makeUpName(ctx, p, m, n)
		},
	} {
		if err := p.each(f); err != nil {
			return err
		}
	}
	return s.recheckNames(ctx, p)
}

// recheckNames replaces made-up names that another request has used between the
// look at the pool and the claim.
func (s *Service) recheckNames(ctx context.Context, p *plan) error {
	for again := p.prefix == ""; again; {
		again = false
		n := numbers{}
		err := p.each(func(m *member) error {
			if !m.madeUp {
				return nil
			}
			taken, err := s.taken(ctx, m.to.Pool, m.name)
			if err != nil || !taken {
				return err
			}
			again = true
			return s.makeUpName(ctx, p, m, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takeName claims a name for a new target.
func (s *Service) takeName(ctx context.Context, p *plan, m *member, name, param string) error {
	if pool.ValidName(name) != nil {
		return Errorf(KindInvalid, param, "%.64q cannot be the name of a volume", name)
	}
	taken, err := s.taken(ctx, m.to.Pool, name)
	if err != nil {
		return err
	}
	if taken {
		return Errorf(KindInvalid, param, "the name %s is taken in pool %s", name, m.to.Pool)
	}
	if !p.hold.take(nameClaim(m.to.Pool, name)) {
		return Errorf(KindInvalid, param, "the name %s is used twice", name)
	}
	m.name = name
	return nil
}

// makeUpName gives a target a name of the system. With a prefix that is
// prefix_n, where n is the source's place; without, the first that is free.
func (s *Service) makeUpName(ctx context.Context, p *plan, m *member, n numbers) error {
	if p.prefix != "" {
		return s.takeName(ctx, p, m, fmt.Sprintf("%s_%d", p.prefix, m.index+1), "RelationshipName")
	}
	stem := base(m.source.Name) + "-" + typeWord(p.typ)
	key := m.to.Pool + "/" + stem
	m.madeUp = true
	var failed error
	m.name, n[key] = firstFree(stem, max(n[key], 1), func(name string) bool {
		var taken bool
		taken, failed = s.taken(ctx, m.to.Pool, name)
		return failed != nil || !taken && p.hold.take(nameClaim(m.to.Pool, name))
	})
	return failed
}

// firstFree is the first of stem-n, stem-(n+1), ... that free takes, and the
// number after it.
func firstFree(stem string, n int, free func(string) bool) (string, int) {
	for ; ; n++ {
		if name := fmt.Sprintf("%s-%d", stem, n); free(name) {
			return name, n + 1
		}
	}
}

// typeWord is the copy type as it appears in names.
func typeWord(t pairstate.SyncType) string { return strings.ToLower(t.String()) }

// takeGroupName claims a name for a new group, or makes one up from the stem. Here
// and below the claim comes first: a request that had the name before has shown
// what it made when it gives its claim back.
func (s *Service) takeGroupName(h *hold, name, stem, param string) (string, error) {
	free := func(n string) bool { return h.take(groupNameClaim(n)) && !s.book.groupNamed(n) }
	if name != "" {
		return name, takeLabel(name, param, free)
	}
	if stem = base(stem); free(stem) {
		return stem, nil
	}
	name, _ = firstFree(stem, 2, free)
	return name, nil
}

// takeTieName claims a name for a group relationship, or makes up one that no
// volume's name begins with, since those of the targets will.
func (s *Service) takeTieName(ctx context.Context, h *hold, name string, t pairstate.SyncType) (string, error) {
	free := func(n string) bool { return h.take(tieNameClaim(n)) && !s.book.tieNamed(n) }
	if name != "" {
		return name, takeLabel(name, "RelationshipName", free)
	}
	var all []string
	for _, p := range s.pools {
		names, err := allNames(ctx, p)
		if err != nil {
			return "", s.failure("", err)
		}
		all = append(all, names...)
	}
	name, _ = firstFree(typeWord(t)+"-group", 1, func(n string) bool { return !begin(all, n) && free(n) })
	return name, nil
}

func takeLabel(name, param string, free func(string) bool) error {
	if err := checkLabel(name, param); err != nil {
		return err
	}
	if !free(name) {
		return Errorf(KindInvalid, param, "the name %s is in use", name)
	}
	return nil
}

// begin says whether one of the names, which are in lower case, is prefix_n.
func begin(names []string, prefix string) bool {
	prefix = strings.ToLower(prefix) + "_"
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
}
