package eventing

import "twinlun/cim"

// EncodeForTest is the message that an indication becomes for a request; nil in Pull
// mode.
func EncodeForTest(r *Request, in *cim.Instance) ([]byte, error) {
	if r.NotifyTo == nil {
		return nil, nil
	}
	s := newSubscription(&record{ID: "uuid:1", Request: *r}, passes{in.Class})
	defer s.cancel()
	msg := s.message(&parcel{events: []*event{{seq: 1, in: in}}})
	return msg.encode("uuid:2"), nil
}

type passes struct{ class *cim.Class }

func (p passes) Class() *cim.Class                      { return p.class }
func (p passes) Match(*cim.Instance) bool               { return true }
func (p passes) Project(in *cim.Instance) *cim.Instance { return in }
