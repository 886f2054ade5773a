package daemon

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
)

// portals are the addresses at which initiators reach the iSCSI listener. They
// are looked up each time, because interfaces come and go.
func (d *Daemon) portals() []string {
	socket := d.listeners[serviceISCSI]
	if socket == nil {
		return nil
	}
	list, err := portalAddresses(socket.Addr().String(), net.InterfaceAddrs)
	if err != nil {
		d.log.Warn("the addresses of this machine cannot be read", slog.Any("error", err))
	}
	return list
}

// portalAddresses is the address that is bound or, for one that stands for all of
// the machine, each that other machines may reach; that of the loopback interface
// where there is no other. IPv4 comes first.
func portalAddresses(bound string, interfaces func() ([]net.Addr, error)) ([]string, error) {
	at, err := netip.ParseAddrPort(bound)
	if err != nil || !at.Addr().IsUnspecified() {
		return []string{bound}, err
	}
	all, err := interfaces()
	if err != nil {
		return nil, err
	}
	loopback := netip.IPv6Loopback()
	if at.Addr().Is4() {
		loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	found := reachable(all, at.Addr().Is4())
	if len(found) == 0 {
		found = []netip.Addr{loopback}
	}
	var list []string
	for _, a := range found {
		list = append(list, netip.AddrPortFrom(a, at.Port()).String())
	}
	return list, nil
}

// reachable are the addresses that other machines may reach, each once, in
// order.
func reachable(all []net.Addr, only4 bool) []netip.Addr {
	var list []netip.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := p.Addr().Unmap()
		if ip.IsGlobalUnicast() && (ip.Is4() || !only4) {
			list = append(list, ip)
		}
	}
	slices.SortStableFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
