package initiator

import (
	"context"
	"fmt"
	"strings"

	"twinlun/blockdev/iscsi/pdu"
)

// Found is a target that a portal offers.
type Found struct {
	Target    string
	Addresses []string // host:port,portal group
}

// Discover asks the portal addr for the targets that the initiator may see.
func Discover(ctx context.Context, addr string, o Options) ([]Found, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	nc, h, err := connect(ctx, addr, "", o)
	if err != nil {
		return nil, err
	}
	c := newConn(nc, h, 0)
	defer c.logout()
	keys, err := c.ask(ctx, pdu.Keys{{Name: "SendTargets", Value: "All"}})
	if err != nil {
		return nil, err
	}
	return found(keys)
}

func found(keys pdu.Keys) (list []Found, err error) {
	for _, k := range keys {
		switch {
		case k.Name == "TargetName":
			list = append(list, Found{Target: k.Value})
		case k.Name == "TargetAddress" && len(list) > 0:
			last := &list[len(list)-1]
			last.Addresses = append(last.Addresses, strings.Clone(k.Value))
		default:
			return nil, fmt.Errorf("%w: %s=%s", errProtocol, k.Name, k.Value)
		}
	}
	return list, nil
}

// maxAnswer bounds the answer to one text request.
const maxAnswer = 16 << 20

// ask sends a text request and collects its whole answer.
func (c *conn) ask(ctx context.Context, keys pdu.Keys) (pdu.Keys, error) {
	answer := pdu.TextBuffer{Max: maxAnswer}
	data, ttt := keys.Append(nil), uint32(pdu.NoTag)
	for {
		e, err := c.askOnce(ctx, data, ttt)
		if err != nil {
			return nil, err
		}
		got, err := answer.Add(e.data, e.text.Continue)
		if err != nil || e.text.Final {
			return got, err
		}
		data, ttt = nil, e.text.TTT
	}
}

func (c *conn) askOnce(ctx context.Context, data []byte, ttt uint32) (event, error) {
	k, err := c.submit(nil, func(tag tags) error {
		p := pdu.Text{Final: true, ITT: tag.itt, TTT: ttt, CmdSN: tag.cmdSN, ExpStatSN: tag.expStatSN}
		return c.sendLocked(&p, data)
	})
	if err != nil {
		return event{}, err
	}
	select {
	case e, ok := <-k.events:
		if !ok {
			return event{}, c.reason()
		}
		if e.text == nil {
			return event{}, errProtocol
		}
		return *e, nil
	case <-ctx.Done():
		c.fail(ctx.Err())
		return event{}, ctx.Err()
	}
}
