package eventing

import (
	"strconv"
	"strings"
	"time"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// minEnvelope is the least MaxEnvelopeSize that can be asked for (DSP0226 section
// 13.2).
const minEnvelope = 8192

// readDelivery reads how the events are to come (DSP0226 sections 10.2.3 to 10.2.9).
func readDelivery(r *Request, m *soap.Message, l Limits) error {
	e := soap.Child(m.Body, wsman.NSEventing, "Delivery")
	if e == nil {
		return wsman.InvalidEventMessage("there is no e:Delivery")
	}
	if err := readMode(r, e, l); err != nil {
		return err
	}
	r.Retries = defaultRetries
	for _, row := range deliveryRows() {
		c := soap.Child(e, wsman.NSWSMan, row.local)
		if c == nil {
			continue
		}
		if err := row.read(r, c, l); err != nil {
			return err
		}
	}
	if r.Mode != wsman.DeliveryEvents && r.Mode != wsman.DeliveryPull && (r.MaxElements > 0 || r.MaxTime > 0) {
		return wsman.UnsupportedFeature(wsman.DetailFormatMismatch, "MaxElements and MaxTime are for batches, not for the mode %s", r.Mode)
	}
	return nil
}

// deliveryRow is a child of e:Delivery.
type deliveryRow struct {
	local string
	read  func(*Request, *soap.Element, Limits) error
}

// deliveryRows are the children of e:Delivery that ask for something.
func deliveryRows() []deliveryRow {
	return []deliveryRow{
		{"Heartbeats", readHeartbeat},
		{"ConnectionRetry", readRetry},
		{"ContentEncoding", readEncoding},
		{"MaxEnvelopeSize", readEnvelope},
		{"MaxElements", readMaxElements},
		{"MaxTime", readMaxTime},
	}
}

// readMode reads the mode, and where to except for Pull, which needs no address
// and gets one from some clients all the same.
func readMode(r *Request, e *soap.Element, l Limits) (err error) {
	mode, given := soap.Attr(e, "", "Mode")
	switch r.Mode = strings.TrimSpace(mode); r.Mode {
	case wsman.DeliveryPull:
		return nil
	case "":
		if given {
			return wsman.DeliveryModeUnavailable("the delivery mode is empty")
		}
		r.Mode = wsman.DeliveryPush
	case wsman.DeliveryPush, wsman.DeliveryPushWithAck, wsman.DeliveryEvents:
	default:
		return wsman.DeliveryModeUnavailable("the delivery mode %.200q is not served, only Pull, Push, PushWithAck and Events", mode)
	}
	to := soap.Child(e, wsman.NSEventing, "NotifyTo")
	if to == nil {
		return wsman.InvalidEventMessage("there is no e:NotifyTo")
	}
	r.NotifyTo, err = readEndpoint(to, "NotifyTo", l)
	return err
}

func readHeartbeat(r *Request, e *soap.Element, l Limits) error {
	d, ok := soap.ParseDuration(soap.Text(e))
	switch {
	case !ok || d == 0:
		return wsman.InvalidEventMessage("Heartbeats is not a positive duration")
	case d < l.MinHeartbeat:
		return wsman.UnsupportedFeature(wsman.DetailHeartbeats, "heartbeats come every %v at most", l.MinHeartbeat)
	}
	r.Heartbeat = d
	return nil
}

// readRetry reads how often to try again, in its attribute, and how long to wait.
func readRetry(r *Request, e *soap.Element, l Limits) error {
	if total, ok := soap.Attr(e, "", "Total"); ok {
		n, err := strconv.ParseUint(strings.TrimSpace(total), 10, 31)
		if err != nil {
			return wsman.InvalidEventMessage("the Total of ConnectionRetry is not a number")
		}
		r.Retries = min(int(n), l.Retries)
	}
	if soap.Text(e) == "" {
		return nil
	}
	d, ok := soap.ParseDuration(soap.Text(e))
	if !ok || d == 0 {
		return wsman.InvalidEventMessage("ConnectionRetry is not a positive duration")
	}
	r.RetryEvery = min(d, l.MaxRetry)
	return nil
}

func readEncoding(r *Request, e *soap.Element, _ Limits) error {
	switch strings.ToUpper(soap.Text(e)) {
	case "UTF-8":
	case "UTF-16":
		r.UTF16 = true
	default:
		return wsman.EncodingLimit(wsman.DetailCharacterSet, "events come in UTF-8 or UTF-16, not in %.100q", soap.Text(e))
	}
	return nil
}

func readEnvelope(r *Request, e *soap.Element, _ Limits) error {
	n, err := strconv.ParseUint(soap.Text(e), 10, 31)
	switch {
	case err != nil:
		return wsman.InvalidEventMessage("MaxEnvelopeSize is not a number")
	case n < minEnvelope:
		return wsman.EncodingLimit(wsman.DetailMinimumEnvelope, "MaxEnvelopeSize is less than %d", minEnvelope)
	}
	r.Envelope = int(n)
	policy, _ := soap.Attr(e, "", "Policy")
	switch p := Policy(strings.TrimSpace(policy)); p {
	case "", CancelSubscription:
	case Skip, Notify:
		r.Oversize = p
	default:
		return wsman.UnsupportedFeature(wsman.DetailEnvelopePolicy, "the policy %.100q is not known", policy)
	}
	return nil
}

func readMaxElements(r *Request, e *soap.Element, l Limits) error {
	n, err := strconv.ParseUint(soap.Text(e), 10, 31)
	if err != nil || n == 0 {
		return wsman.InvalidEventMessage("MaxElements is not a positive number")
	}
	r.MaxElements = min(int(n), l.Batch)
	return nil
}

func readMaxTime(r *Request, e *soap.Element, _ Limits) error {
	d, ok := soap.ParseDuration(soap.Text(e))
	if !ok || d == 0 {
		return wsman.InvalidEventMessage("MaxTime is not a positive duration")
	}
	r.MaxTime = min(d, time.Hour)
	return nil
}
