package eventing

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// maxAnswer bounds what is read of a subscriber's answer.
const maxAnswer = 64 << 10

// errRefused says that the subscriber wants no more events (DSP0226 section 10.8).
var errRefused = errors.New("the receiver refuses the delivery")

func newTransport() http.RoundTripper {
	return &http.Transport{
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
		DisableCompression:     true,
	}
}

// newClient never follows a redirect: it would take events and passwords to where
// nobody has allowed it.
func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// attempt sends a message once, when it is its turn, and reads the answer.
func (m *Manager) attempt(ctx context.Context, user string, msg *message, id string, data []byte) error {
	select {
	case m.sending <- struct{}{}:
		defer func() { <-m.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := m.allowed(user, msg.to.Address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, m.config.Limits.Delivery)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, msg.to.Address, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", msg.encoding().ContentType())
	req.Header.Set("User-Agent", "twinlun")
	if msg.user != nil {
		req.SetBasicAuth(msg.user.User, msg.user.Password)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return checkAnswer(msg, id, resp, answer)
}

// checkAnswer says whether a message has arrived. Any 2xx will do, except where an
// acknowledgement was asked for (DSP0226 sections 10.2.9.3, 10.7 and 10.8).
func checkAnswer(msg *message, id string, resp *http.Response, data []byte) error {
	good := resp.StatusCode/100 == 2
	if good && !msg.ack {
		return nil
	}
	answer, err := soap.Decode(data, resp.Header.Get("Content-Type"), soap.Limits{Bytes: maxAnswer})
	switch {
	case err != nil && good:
		return wsman.NoAck("HTTP %d without an acknowledgement", resp.StatusCode)
	case err != nil:
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	case soap.Is(answer.Body, wsman.NSSOAP, "Fault"):
		return refusal(soap.ReadFault(answer.Body))
	case !good:
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	case answer.Action != wsman.ActionAck && !strings.HasSuffix(answer.Action, "/wsman/1/wsman/Ack"):
		return wsman.NoAck("the answer is no acknowledgement")
	case answer.RelatesTo != id:
		return wsman.NoAck("the acknowledgement is for another message")
	}
	return nil
}

// refusal is what a fault means to who sends events.
func refusal(f *wsman.Fault) error {
	if f.Subcode.Local == "DeliveryRefused" {
		return fmt.Errorf("%w: %s", errRefused, f.Error())
	}
	return f
}

// sendEnd tells a subscriber that its subscription has ended (DSP0226 section 10.6):
// at EndTo, else where the events went unless that is what failed. It is tried once.
func (m *Manager) sendEnd(ctx context.Context, s *subscription, status, text string) {
	to := s.request.EndTo
	if to == nil && status != wsman.EndDeliveryFailure {
		to = s.request.NotifyTo
	}
	if to == nil {
		return
	}
	msg := &message{to: to, action: wsman.ActionSubscriptionEnd, utf16: s.request.UTF16}
	if s.request.NotifyTo != nil && to.Address == s.request.NotifyTo.Address {
		msg.user = s.request.Credentials
	}
	msg.body = func(w *soap.Writer) { s.writeEnd(w, status, text) }
	id, err := m.newID()
	if err == nil {
		err = m.attempt(ctx, s.user, msg, id, msg.encode(id))
	}
	if err != nil {
		m.config.Logger.Info("wsman: the end of a subscription cannot be told", "subscription", s.id, "to", to.Address, "error", err)
	}
}

func (s *subscription) writeEnd(w *soap.Writer, status, text string) {
	w.Start("e", "SubscriptionEnd")
	w.Namespace("e", wsman.NSEventing)
	WriteManager(w, "", s.request.ResourceURI, s.id)
	w.Element("e", "Status", status)
	w.Start("e", "Reason")
	w.Attr("xml", "lang", "en-US")
	w.Text(text)
	w.End()
	w.End()
}

// WriteManager writes e:SubscriptionManager: where and with which headers a
// subscription is renewed and ended. They are ReferenceProperties, which is where
// Windows clients look. The prefixes a, w and e must be declared.
func WriteManager(w *soap.Writer, address, resourceURI, id string) {
	if address == "" {
		address = wsman.Anonymous
	}
	w.Start("e", "SubscriptionManager")
	w.Element("a", "Address", address)
	w.Start("a", "ReferenceProperties")
	w.Element("w", "ResourceURI", resourceURI)
	w.Element("e", "Identifier", id)
	w.End()
	w.End()
}
