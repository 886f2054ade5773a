package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"twinlun/cim"
	"twinlun/wsman/client"
)

// namespace is where the storage classes are.
const namespace = "root/cimv2/storage/iscsitarget"

// requestTimeout bounds one request; methods wait up to 10 s by themselves.
const requestTimeout = 60 * time.Second

// connection is how the server is reached.
type connection struct {
	server, user, passwordFile, ca string
	insecure                       bool
}

// remote makes a command a WS-Man client: it gets the flags that say which server
// and how to print.
func (a *app) remote(c *cobra.Command) *cobra.Command {
	f := c.PersistentFlags()
	f.StringVar(&a.conn.server, "server", "", "URL of the server (TWINLUN_SERVER; default http://127.0.0.1:5985/wsman)")
	f.StringVar(&a.conn.user, "user", "", "user (TWINLUN_USER; default admin)")
	f.StringVar(&a.conn.passwordFile, "password-file", "", "file that holds the password (default: TWINLUN_PASSWORD)")
	f.StringVar(&a.conn.ca, "ca", "", "PEM file of the certificate authority to trust")
	f.BoolVar(&a.conn.insecure, "insecure", false, "take any certificate")
	a.outputFlag(f)
	return c
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// session is a connection to a server, with the schema that types what is sent.
type session struct {
	*client.Client
	app    *app
	schema *cim.Schema
	host   string // of the server
}

// connect makes a session; the caller closes it.
func (a *app) connect() (*session, error) {
	target, err := serverURL(firstOf(a.conn.server, os.Getenv("TWINLUN_SERVER"), "http://127.0.0.1:5985/wsman"))
	if err != nil {
		return nil, usageError{err}
	}
	password := os.Getenv("TWINLUN_PASSWORD")
	if a.conn.passwordFile != "" {
		if password, err = readSecret(a.conn.passwordFile); err != nil {
			return nil, usageError{fmt.Errorf("--password-file: %w", err)}
		}
	}
	roots, err := loadRoots(a.conn.ca)
	if err != nil {
		return nil, usageError{fmt.Errorf("--ca: %w", err)}
	}
	schema, err := a.loadSchema()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		URL: target.String(), User: firstOf(a.conn.user, os.Getenv("TWINLUN_USER"), "admin"), Password: password,
		RootCAs: roots, Insecure: a.conn.insecure, Timeout: requestTimeout,
		Namespace: namespace, Schema: schema.Class, UserAgent: "twinlun/" + a.version,
	})
	if err != nil {
		return nil, usageError{err}
	}
	if password != "" && target.Scheme == "http" && !isThisMachine(target.Hostname()) {
		fmt.Fprintf(a.Err, "twinlun: warning: the password goes to %s unencrypted; use an https URL\n", target.Host)
	}
	return &session{Client: c, app: a, schema: schema, host: target.Hostname()}, nil
}

// serverURL reads the URL of a server; without a path it is that of WS-Man.
func serverURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("--server: %q is not a URL such as https://HOST:5986/wsman", text)
	}
	if u.User != nil {
		return nil, errors.New("--server: the user and the password do not belong into the URL; see --user and --password-file")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/wsman"
	}
	return u, nil
}

// isThisMachine says whether what is sent to a host stays on this machine.
func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &fs.PathError{Op: "read", Path: file, Err: errors.New("no certificate in it")}
	}
	return pool, nil
}

// with runs f in a session.
func (a *app) with(f func(ctx context.Context, s *session, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := a.checkOutput(); err != nil {
			return err
		}
		s, err := a.connect()
		if err != nil {
			return err
		}
		defer s.Close()
		return f(cmd.Context(), s, args)
	}
}

// list reads all instances of a class.
func (s *session) list(ctx context.Context, class string) ([]*cim.Instance, error) {
	var all []*cim.Instance
	err := s.Enumerate(ctx, namespace, class, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	return all, err
}

// associated reads what is associated with an object.
func (s *session) associated(ctx context.Context, q cim.AssociationQuery) ([]*cim.Instance, error) {
	var all []*cim.Instance
	err := s.Associators(ctx, q, func(in *cim.Instance) error {
		all = append(all, in)
		return nil
	})
	return all, err
}

// invoke calls a method of a class with one instance, or of the instance at a
// path. Any return code but 0 and 4096 is a returnError.
func (s *session) invoke(ctx context.Context, p *cim.Path, method string, in ...cim.Arg) (*cim.Reply, error) {
	reply, err := s.Invoke(ctx, &cim.Call{Path: p, Method: method, In: in, Timeout: requestTimeout})
	if err != nil {
		return nil, err
	}
	code, _ := reply.Return.(uint64)
	if code != 0 && code != jobStarted {
		m := s.schema.Class(p.Class).Method(method)
		return reply, returnError{method: method, code: code, meaning: valueName(m.Qualifiers, code), reason: reply.Reason}
	}
	return reply, nil
}

// jobStarted is the return code of a method whose work goes on in a job.
const jobStarted = 4096

func service(class string) *cim.Path { return &cim.Path{Namespace: namespace, Class: class} }

func arg(name string, v cim.Value) cim.Arg { return cim.Arg{Name: name, Value: v} }
