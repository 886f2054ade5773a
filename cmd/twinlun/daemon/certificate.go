package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is how long a generated certificate is valid.
const certificateLife = 10 * 365 * 24 * time.Hour

// certificate loads the administrator's certificate, or the generated one of the
// data dir, which it makes at the first start.
func certificate(c Config, now time.Time) (tls.Certificate, error) {
	if c.TLSCert != "" {
		own, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return own, fmt.Errorf("tls_cert, tls_key: %w", err)
		}
		return own, nil
	}
	cert, key := filepath.Join(c.DataDir, "tls.crt"), filepath.Join(c.DataDir, "tls.key")
	if _, err := os.Stat(cert); errors.Is(err, fs.ErrNotExist) {
		if err := generate(cert, key, now); err != nil {
			return tls.Certificate{}, fmt.Errorf("self-signed certificate: %w", err)
		}
	}
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return own, fmt.Errorf("%s, %s: %w", cert, key, err)
	}
	return own, nil
}

// generate writes a new self-signed certificate for this machine's names. The
// certificate is written last: where it is, its key is.
func generate(certFile, keyFile string, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := certificateTemplate(now)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyFile, "PRIVATE KEY", keyDER); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der)
}

func certificateTemplate(now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: host, Organization: []string{"Twinlun self-signed"}},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		DNSNames:              []string{host, "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}, nil
}

func writePEM(name, kind string, der []byte) error {
	return writeFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// writeFile makes name hold data, durably and at once, or leaves it as it was. Only the
// daemon's user can read it (os.CreateTemp).
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
