package auth

import (
	"strings"

	"twinlun/cim"
)

const (
	maxName     = 64
	maxPassword = 1024
)

// roles are the names of the roles in files and on the command line.
func roles() map[string]cim.Role {
	return map[string]cim.Role{
		"monitor":  cim.RoleMonitor,
		"operator": cim.RoleOperator,
		"admin":    cim.RoleAdmin,
	}
}

// ParseRole reads the name of a role: monitor, operator or admin.
func ParseRole(name string) (cim.Role, error) {
	if r, ok := roles()[strings.ToLower(strings.TrimSpace(name))]; ok {
		return r, nil
	}
	return 0, ErrInvalidRole
}

// RoleName is the name that ParseRole reads; empty for no role.
func RoleName(r cim.Role) string {
	for name, role := range roles() {
		if role == r {
			return name
		}
	}
	return ""
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
