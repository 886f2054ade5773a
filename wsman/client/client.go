// Package client is a WS-Management client for CIM (DSP0226, DSP0227): Identify,
// Get, Put, Create, Delete, Enumerate with Pull and Release, association queries,
// method calls and classes. Requests are typed by the CIM schema, and so are answers.
package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// Config says where the server is and who asks. URL is required; zero values of
// the rest have the meaning that the comment gives.
type Config struct {
	URL            string // http://host:5985/wsman or https://host:5986/wsman
	User, Password string // HTTP Basic; without a user nothing is sent
	// HTTPClient sends the requests; nil makes one from RootCAs and Insecure.
	HTTPClient *http.Client
	RootCAs    *x509.CertPool // nil: those of the system
	Insecure   bool           // take any certificate
	// Timeout is what the server is given for one operation, where the call does
	// not say; 0 is a minute. The client waits a little longer.
	Timeout time.Duration
	// MaxElements is how many instances one answer may have; 0 is 256.
	MaxElements int
	// MaxEnvelopeSize bounds an answer in bytes, on both sides; 0 is 1 MiB.
	MaxEnvelopeSize int64
	Namespace       string // of paths that have none; empty is the server's default
	// Schema finds a class by name; nil, or no answer, asks the server.
	Schema    func(class string) *cim.Class
	Rand      io.Reader // for message ids; nil is crypto/rand
	UserAgent string    // empty is "twinlun"
}

const (
	defaultTimeout     = time.Minute
	defaultMaxElements = 256
	defaultMaxEnvelope = 1 << 20
	// grace is how much longer than the server the client waits.
	grace = 5 * time.Second
	// releaseTimeout bounds the Release of an enumeration that is given up.
	releaseTimeout = 5 * time.Second
)

// Client talks to one server. It may be used from many goroutines.
type Client struct {
	cfg     Config
	http    *http.Client
	limits  soap.Limits
	writers sync.Pool // of *soap.Writer

	classes struct {
		sync.Mutex
		byName map[string]*cim.Class // lower case; nil: the server has none
	}
}

// New makes a client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the server's URL %q is not an http or https URL", cfg.URL)
	}
	cfg.setDefaults()
	c := &Client{cfg: cfg, http: cfg.HTTPClient, limits: answerLimits(cfg.MaxEnvelopeSize)}
	if c.http == nil {
		c.http = newHTTPClient(cfg)
	}
	c.writers.New = func() any { return new(soap.Writer) }
	c.classes.byName = map[string]*cim.Class{}
	return c, nil
}

func (cfg *Config) setDefaults() {
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxElements <= 0 {
		cfg.MaxElements = defaultMaxElements
	}
	if cfg.MaxEnvelopeSize <= 0 {
		cfg.MaxEnvelopeSize = defaultMaxEnvelope
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "twinlun"
	}
}

// answerLimits are wider than those of a server: an answer holds many instances.
func answerLimits(size int64) soap.Limits {
	l := soap.DefaultLimits()
	l.Bytes = int(size) + int(size)/4
	l.TextLen = l.Bytes
	l.Elements = l.Bytes / 8
	return l
}

func newHTTPClient(cfg Config) *http.Client {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.Insecure, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 32,
		DisableCompression:  true, // what comes must be of the size that it says
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	// A redirect would take the password elsewhere.
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Identity is what a server says of itself.
type Identity struct {
	Protocol string // namespace of the protocol
	Vendor   string
	Version  string
}

// Identify asks who the server is (DSP0226 section 11).
func (c *Client) Identify(ctx context.Context) (Identity, error) {
	m, err := c.exchange(ctx, c.cfg.Timeout, func(w *soap.Writer) {
		w.Start("s", "Envelope")
		w.Namespace("s", wsman.NSSOAP)
		w.Element("s", "Header", "")
		w.Start("s", "Body")
		w.Start("wsmid", "Identify")
		w.Namespace("wsmid", wsman.NSIdentity)
		w.End()
		w.End()
		w.End()
	})
	if err != nil {
		return Identity{}, err
	}
	if m.Body == nil || m.Body.Tag != "IdentifyResponse" {
		return Identity{}, errors.New("the server did not answer Identify")
	}
	text := func(local string) string { return soap.ChildText(m.Body, wsman.NSIdentity, local) }
	return Identity{text("ProtocolVersion"), text("ProductVendor"), text("ProductVersion")}, nil
}

// Get reads one instance. A path without keys names the sole instance of a class.
func (c *Client) Get(ctx context.Context, p *cim.Path) (*cim.Instance, error) {
	m, err := c.call(ctx, c.header(wsman.ActionGet, p), nil)
	if err != nil {
		return nil, err
	}
	return c.instance(ctx, c.namespace(p.Namespace), m.Body)
}

// instance reads an instance of a namespace from an answer.
func (c *Client) instance(ctx context.Context, ns string, e *soap.Element) (*cim.Instance, error) {
	in, err := wscim.DecodeInstance(e, nil, c.env(ctx, ns))
	if err != nil {
		return nil, err
	}
	if in.Path, err = in.PathIn(ns); err != nil {
		return nil, err
	}
	return in, nil
}

// GetClass reads a class from the server, whatever Config.Schema has.
func (c *Client) GetClass(ctx context.Context, ns, class string) (*cim.Class, error) {
	h := c.header(wsman.ActionGet, &cim.Path{Namespace: ns})
	h.ResourceURI = wsman.SchemaURI
	h.Selectors = append(h.Selectors, wsman.Selector{Name: wsman.SelectorClassName, Value: class})
	for _, name := range []string{wsman.OptionHierarchy, wsman.OptionInherited, wsman.OptionQualifiers, wsman.OptionClassOrigin} {
		h.Options = append(h.Options, soap.Option{Name: name, Type: "xs:boolean", Value: "true"})
	}
	m, err := c.call(ctx, h, nil)
	if err != nil {
		return nil, err
	}
	return wscim.ReadClass(m.Body)
}

// header is the header of a request about a path.
func (c *Client) header(action string, p *cim.Path) soap.RequestHeader {
	q := *p
	q.Namespace = c.namespace(p.Namespace)
	epr := wscim.PathToEPR(&q, wsman.ClassPrefix)
	return soap.RequestHeader{
		To: c.cfg.URL, Action: action, ResourceURI: epr.ResourceURI, Selectors: epr.Selectors,
		Timeout: c.cfg.Timeout, MaxEnvelopeSize: c.cfg.MaxEnvelopeSize, Locale: "en-US",
	}
}

func (c *Client) namespace(ns string) string {
	if ns == "" {
		ns = c.cfg.Namespace
	}
	return cim.CanonicalNamespace(ns)
}

// env is what decoding an answer from a namespace needs.
func (c *Client) env(ctx context.Context, ns string) wscim.Env {
	return wscim.Env{
		Class:         func(name string) *cim.Class { return c.class(ctx, ns, name) },
		Namespace:     ns,
		IgnoreUnknown: true,
		Limits:        c.limits,
	}
}

// maxClasses bounds how many classes are kept that only the server knows.
const maxClasses = 1000

// class finds a class: in the schema, else on the server, which is asked once.
func (c *Client) class(ctx context.Context, ns, name string) *cim.Class {
	if c.cfg.Schema != nil {
		if found := c.cfg.Schema(name); found != nil {
			return found
		}
	}
	key := ns + ":" + strings.ToLower(name)
	c.classes.Lock()
	found, known := c.classes.byName[key]
	full := len(c.classes.byName) >= maxClasses
	c.classes.Unlock()
	if known || full {
		return found
	}
	found, err := c.GetClass(ctx, ns, name)
	if _, isFault := errors.AsType[*wsman.Fault](err); err != nil && !isFault {
		return nil // not for ever: the network may come back
	}
	c.classes.Lock()
	defer c.classes.Unlock()
	c.classes.byName[key] = found
	return found
}
