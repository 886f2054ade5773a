package server

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// keepWriter is the largest writer that is kept for the next answer.
const keepWriter = 1 << 20

// answer is what an action has to say. The action of the message is that of the
// request with "Response".
type answer struct {
	// status is 0 for a message; any other is sent without a body.
	status int
	header func(*soap.Writer)       // further header blocks, or nil
	body   func(*soap.Writer) error // nil: an empty body
	// whole writes the whole envelope instead.
	whole func(*soap.Writer)
	// sized says that body keeps within the client's MaxEnvelopeSize itself.
	sized bool
	// done is called when the answer is written or could not be, before it is
	// sent; or nil.
	done func()
	// path is the instance that the answer is about where it is another than that
	// of the request, or none (gone); RequestEPR asks for it.
	path *cim.Path
	gone bool
	// code and note are the outcome in the audit.
	code, note string
}

// sendAnswer turns an answer into bytes and sends them. An error is one of
// making the answer; nothing is sent then.
func (s *Server) sendAnswer(rq *request, a *answer, row action) error {
	if a.status != 0 {
		rq.out.WriteHeader(a.status)
		return nil
	}
	sw := s.writer()
	defer s.recycle(sw)
	if err := s.writeAnswer(sw, rq, a); err != nil {
		return err
	}
	enc := rq.encoding()
	data := enc.Encode(sw.Bytes())
	if limit := rq.msg.MaxEnvelopeSize; !a.sized && limit > 0 && int64(len(data)) > limit {
		return tooLarge(row)
	}
	s.send(rq.out, http.StatusOK, enc.ContentType(), data)
	return nil
}

func (s *Server) writeAnswer(sw *soap.Writer, rq *request, a *answer) error {
	if a.done != nil {
		defer a.done()
	}
	if a.whole != nil {
		a.whole(sw)
		return nil
	}
	id, err := s.newID()
	if err != nil {
		return err
	}
	h := soap.ResponseHeader{
		Action:     rq.msg.Action + wsman.ResponseSuffix,
		MessageID:  id,
		RelatesTo:  rq.relatesTo(),
		Addressing: rq.addressing(),
		Echo:       rq.echo,
		Extra:      a.header,
	}
	if rq.msg.RequestEPR {
		h.Extra = func(sw *soap.Writer) {
			writeRequestedEPR(sw, rq, a)
			if a.header != nil {
				a.header(sw)
			}
		}
	}
	soap.WriteEnvelope(sw, h, func(sw *soap.Writer) {
		if a.body != nil {
			err = a.body(sw)
		}
	})
	return err
}

// unreportable is the detail for what was done but cannot be told (DSP0226
// section 14.6).
const unreportable = "UnreportableSuccess"

func tooLarge(row action) error {
	d := wsman.DetailMaxEnvelopeExceeded
	if row.changes {
		d = unreportable
	}
	return wsman.EncodingLimit(d, "the answer is larger than MaxEnvelopeSize")
}

// writeRequestedEPR names the instance that the answer is about (DSP0226 R6.5-1).
func writeRequestedEPR(sw *soap.Writer, rq *request, a *answer) {
	path := a.path
	if path == nil {
		path = rq.path
	}
	sw.Start("w", "RequestedEPR")
	switch {
	case a.gone:
		sw.Element("w", "EPRInvalid", "")
	case path == nil || len(path.Keys) == 0:
		sw.Element("w", "EPRUnknown", "")
	default:
		soap.WriteEPR(sw, wscim.PathToEPR(path, rq.resource.Prefix))
	}
	sw.End()
}

func (s *Server) writer() *soap.Writer {
	w, ok := s.writers.Get().(*soap.Writer)
	if !ok {
		return new(soap.Writer)
	}
	w.Reset()
	return w
}

func (s *Server) recycle(w *soap.Writer) {
	if w.Cap() <= keepWriter {
		s.writers.Put(w)
	}
}

// newID is a fresh "uuid:..." of RFC 9562 version 4, in capitals as Windows has it.
func (s *Server) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.config.Rand, b[:]); err != nil {
		return "", fmt.Errorf("random numbers: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := strings.ToUpper(hex.EncodeToString(b[:]))
	return "uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}
