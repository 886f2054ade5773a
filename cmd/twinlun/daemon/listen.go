package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
)

// service is something that listens.
type service struct {
	name    string // in the log
	setting string // in the configuration file
	addr    string // HOST:PORT or Off
}

// The names of what listens.
const (
	serviceWSMan    = "wsman"
	serviceWSManTLS = "wsman-tls"
	serviceISCSI    = "iscsi"
	serviceMetrics  = "metrics"
)

func (c *Config) services() []service {
	return []service{
		{serviceWSMan, "wsman", c.WSMan}, {serviceWSManTLS, "wsman_tls", c.WSManTLS},
		{serviceISCSI, "iscsi", c.ISCSI}, {serviceMetrics, "metrics", c.Metrics},
	}
}

// listeners are the open sockets by the name of their service; one that is turned
// off is not there.
type listeners map[string]net.Listener

// openListeners opens all sockets or, when one cannot be had, none.
func openListeners(ctx context.Context, services []service) (listeners, error) {
	l := listeners{}
	for _, s := range services {
		if s.addr == Off {
			continue
		}
		var lc net.ListenConfig
		socket, err := lc.Listen(ctx, "tcp", s.addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", s.setting, err), l.close())
		}
		l[s.name] = socket
	}
	return l, nil
}

// close closes all that is still open; those that were served are closed already.
func (l listeners) close() error {
	var errs []error
	for _, socket := range l {
		if err := socket.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (l listeners) log(to *slog.Logger, services []service) {
	for _, s := range services {
		if socket := l[s.name]; socket != nil {
			to.Info("listening", slog.String("service", s.name), slog.String("address", socket.Addr().String()))
		}
	}
}

// Addresses says where the daemon listens, HOST:PORT; empty for what is turned
// off.
type Addresses struct{ WSMan, WSManTLS, ISCSI, Metrics string }

// Addresses says where the daemon listens.
func (d *Daemon) Addresses() Addresses {
	at := func(name string) string {
		if socket := d.listeners[name]; socket != nil {
			return socket.Addr().String()
		}
		return ""
	}
	return Addresses{WSMan: at(serviceWSMan), WSManTLS: at(serviceWSManTLS), ISCSI: at(serviceISCSI), Metrics: at(serviceMetrics)}
}
