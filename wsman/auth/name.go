package auth

import (
	"strings"

	"twinlun/cim"
)

const (
	maxName     = 64
	maxPassword = 1024
)

// ParseRole reads the name of a role: monitor, operator or admin.
func ParseRole(name string) (cim.Role, error) {
	for _, r := range [...]cim.Role{cim.RoleMonitor, cim.RoleOperator, cim.RoleAdmin} {
		if strings.EqualFold(strings.TrimSpace(name), r.String()) {
			return r, nil
		}
	}
	return 0, ErrInvalidRole
}

// validRole says whether r is one of the roles that ParseRole reads.
func validRole(r cim.Role) bool {
	_, err := ParseRole(r.String())
	return err == nil
}

// CheckName says whether a user may have the name: ErrInvalidName if not.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsRune("._-@", rune(name[0])) {
		return ErrInvalidName
	}
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return ErrInvalidName
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-@", c) >= 0
}

// CheckPassword says whether a password can be used: ErrInvalidPassword if not.
// It judges form, not strength.
func CheckPassword(password string) error {
	if password == "" || len(password) > maxPassword {
		return ErrInvalidPassword
	}
	for i := range len(password) {
		if password[i] < 0x20 || password[i] == 0x7f {
			return ErrInvalidPassword
		}
	}
	return nil
}

// nameKey makes names comparable: their case does not matter, as on Windows.
func nameKey(name string) string { return strings.ToLower(name) }

// trimLocal takes off what Windows puts before the name of a user of no domain.
func trimLocal(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "."), `\`)
}
