// Command goclient is a session of a Go program with a WS-Management endpoint that is
// no Windows, through the messages and the transport of github.com/masterzen/winrm:
// identify, get, enumerate, invoke and a fault. (The library is for shells, which there
// are none of here; it knows no selectors but that of a shell.)
//
//	goclient HOST PORT USER CA-FILE
//
// The password is read from standard input. Each answer is printed on a line of its
// own. It is a module of its own, so that the product needs nothing of the library.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/masterzen/simplexml/dom"
	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
)

const (
	classes      = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
	capabilities = classes + "CIM_ReplicationServiceCapabilities"
	identity     = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: goclient HOST PORT USER CA-FILE < PASSWORD")
	}
	password, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	s, err := connect(args[0], args[1], args[2], strings.TrimSpace(password), args[3])
	if err != nil {
		return err
	}
	for _, m := range []*soap.SoapMessage{s.identify(), s.get(), s.enumerate(), s.invoke(), s.getNothing()} {
		s.send(m)
	}
	return nil
}

// poster is the library's transport with Basic.
type poster interface {
	Post(*winrm.Client, *soap.SoapMessage) (string, error)
}

type session struct {
	client    *winrm.Client
	transport poster
	url       string
	count     int
}

func connect(host, port, user, password, caFile string) (*session, error) {
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	endpoint := winrm.NewEndpoint(host, number, true, false, ca, nil, nil, 0)
	client, err := winrm.NewClient(endpoint, user, password)
	if err != nil {
		return nil, err
	}
	transport := winrm.NewClientWithDial(net.Dial)
	if err := transport.Transport(endpoint); err != nil {
		return nil, err
	}
	return &session{client: client, transport: transport, url: "https://" + net.JoinHostPort(host, port) + "/wsman"}, nil
}

// message begins a message with the headers that the library gives its own.
func (s *session) message(action, resource string) *soap.SoapMessage {
	s.count++
	m := soap.NewMessage()
	m.Header().To(s.url).ReplyTo("http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous").
		MaxEnvelopeSize(153600).Id(fmt.Sprintf("uuid:2d7c31a0-0000-4000-8000-%012d", s.count)).Locale("en-US").Timeout("PT60S").
		Action(action).ResourceURI(resource).Build()
	return m
}

func (s *session) identify() *soap.SoapMessage {
	m := soap.NewMessage()
	m.Header().Build()
	m.CreateBodyElement("Identify", dom.Namespace{Prefix: "wsmid", Uri: identity})
	return m
}

func (s *session) get() *soap.SoapMessage {
	m := s.message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", classes+"CIM_ReplicationService")
	m.NewBody()
	return m
}

func (s *session) getNothing() *soap.SoapMessage {
	m := s.message("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", classes+"CIM_Nothing")
	m.NewBody()
	return m
}

func (s *session) enumerate() *soap.SoapMessage {
	m := s.message("http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate", classes+"CIM_StorageVolume")
	e := m.CreateBodyElement("Enumerate", soap.DOM_NS_ENUM)
	m.CreateElement(e, "OptimizeEnumeration", soap.DOM_NS_WSMAN_DMTF)
	m.CreateElement(e, "MaxElements", soap.DOM_NS_WSMAN_DMTF).SetContent("100")
	return m
}

func (s *session) invoke() *soap.SoapMessage {
	ns := dom.Namespace{Prefix: "x0", Uri: capabilities}
	m := s.message(capabilities+"/ConvertSyncTypeToReplicationType", capabilities)
	in := m.CreateBodyElement("ConvertSyncTypeToReplicationType_INPUT", ns)
	m.CreateElement(in, "SyncType", ns).SetContent("8")
	return m
}

func (s *session) send(m *soap.SoapMessage) {
	answer, err := s.transport.Post(s.client, m)
	if err != nil {
		answer = err.Error()
	}
	fmt.Println(strings.ReplaceAll(answer, "\n", " "))
}
