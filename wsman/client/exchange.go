package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// ErrUnauthorized says that the server does not know the user or the password.
var ErrUnauthorized = errors.New("the server refuses the user or the password")

// HTTPError is an answer that is no SOAP message.
type HTTPError struct {
	Status int // of HTTP
}

// Error tells the HTTP status.
func (e *HTTPError) Error() string {
	return fmt.Sprintf("the server answers HTTP %d %s and no SOAP message", e.Status, http.StatusText(e.Status))
}

// call sends a request with a fresh message id and gives the answer to it.
func (c *Client) call(ctx context.Context, h soap.RequestHeader, body func(*soap.Writer)) (*soap.Message, error) {
	id, err := c.messageID()
	if err != nil {
		return nil, err
	}
	h.MessageID = id
	m, err := c.exchange(ctx, h.Timeout, func(w *soap.Writer) { soap.WriteRequest(w, h, body) })
	if err != nil {
		return nil, err
	}
	if m.RelatesTo != "" && m.RelatesTo != id {
		return nil, errors.New("the server answers another request than this")
	}
	return m, nil
}

func (c *Client) messageID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(c.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("making a message id: %w", err)
	}
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	return fmt.Sprintf("uuid:%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// exchange posts what write writes and decodes the answer; a fault is an error.
func (c *Client) exchange(ctx context.Context, timeout time.Duration, write func(*soap.Writer)) (*soap.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+grace)
	defer cancel()
	w, _ := c.writers.Get().(*soap.Writer)
	w.Reset()
	write(w)
	// The transport may read the body after Do returns, so the buffer is not
	// shared with it.
	text := bytes.Clone(w.Bytes())
	c.writers.Put(w)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", soap.UTF8.ContentType())
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if c.cfg.User != "" {
		req.SetBasicAuth(c.cfg.User, c.cfg.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return c.decode(resp)
}

// decode reads an answer within the bounds of the client.
func (c *Client) decode(resp *http.Response) (*soap.Message, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.limits.Bytes)+1))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, ErrUnauthorized
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", err)
	case len(data) > c.limits.Bytes:
		return nil, fmt.Errorf("the answer has more than %d bytes", c.limits.Bytes)
	case resp.StatusCode != http.StatusOK && len(data) == 0:
		return nil, &HTTPError{Status: resp.StatusCode}
	}
	m, err := soap.Decode(data, resp.Header.Get("Content-Type"), c.limits)
	switch {
	case errors.Is(err, soap.ErrNotSOAP) && resp.StatusCode != http.StatusOK:
		return nil, &HTTPError{Status: resp.StatusCode}
	case err != nil:
		return nil, fmt.Errorf("the answer: %v", err)
	case soap.Is(m.Body, wsman.NSSOAP, "Fault"):
		return nil, soap.ReadFault(m.Body)
	case resp.StatusCode != http.StatusOK:
		return nil, &HTTPError{Status: resp.StatusCode}
	}
	return m, nil
}
