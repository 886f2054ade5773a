package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// HashParams is what one password check costs (RFC 9106).
type HashParams struct {
	MemoryKiB   uint32
	Time        uint32 // passes
	Parallelism uint8
}

// DefaultHashParams are right for a machine with two cores: about 30 ms and
// 19 MiB for one check.
func DefaultHashParams() HashParams {
	return HashParams{MemoryKiB: 19 * 1024, Time: 2, Parallelism: 1}
}

// Bounds of what is accepted from a file, so that a file cannot make one check
// take the machine.
const (
	maxHashMemoryKiB = 256 * 1024
	maxHashTime      = 64
	maxHashThreads   = 16
	saltLen          = 16
	keyLen           = 32
	maxPHC           = 256
)

func (p HashParams) valid() bool {
	return p.MemoryKiB >= 8*uint32(p.Parallelism) && p.MemoryKiB <= maxHashMemoryKiB &&
		p.Time >= 1 && p.Time <= maxHashTime && p.Parallelism >= 1 && p.Parallelism <= maxHashThreads
}

// hash is an argon2id hash with all that is needed to check a password.
type hash struct {
	params HashParams
	salt   []byte
	key    []byte
}

// newHash makes a hash of a password with a fresh salt.
func newHash(rand io.Reader, p HashParams, password string) (hash, error) {
	h := hash{params: p, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(rand, h.salt); err != nil {
		return hash{}, fmt.Errorf("salt: %w", err)
	}
	h.key = h.derive(password, keyLen)
	return h, nil
}

func (h hash) derive(password string, n uint32) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.params.Time, h.params.MemoryKiB, h.params.Parallelism, n)
}

// matches takes as long for a wrong password as for the right one.
func (h hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, uint32(len(h.key))), h.key) == 1
}

// String is the hash in the PHC string format.
func (h hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.MemoryKiB, h.params.Time, h.params.Parallelism,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

// parseHash reads what String writes.
func parseHash(s string) (hash, error) {
	f := strings.Split(s, "$")
	if len(s) > maxPHC || len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return hash{}, fmt.Errorf("not an argon2id hash")
	}
	var h hash
	var err error
	if h.params, err = parseParams(f[3]); err != nil {
		return hash{}, err
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(f[4]); err != nil || len(h.salt) < 8 {
		return hash{}, fmt.Errorf("bad salt")
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(f[5]); err != nil || len(h.key) < 16 {
		return hash{}, fmt.Errorf("bad hash")
	}
	return h, nil
}

func parseParams(s string) (HashParams, error) {
	var p HashParams
	n, err := fmt.Sscanf(s, "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Time, &p.Parallelism)
	canonical := fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Time, p.Parallelism)
	if err != nil || n != 3 || s != canonical || !p.valid() {
		return HashParams{}, fmt.Errorf("bad hash parameters")
	}
	return p, nil
}
