package conversation

import (
	"fmt"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// rapFunctions are the functions of the Remote Administration Protocol, which SMB1 carries to \PIPE\LANMAN without an
// open. See [MS-RAP] 2.5.4.
var rapFunctions = map[int]string{
	0x00: "NetShareEnum", 0x01: "NetShareGetInfo", 0x0D: "NetServerGetInfo", 0x38: "NetUserGetInfo",
	0x3F: "NetWkstaGetInfo", 0x45: "NetPrintQEnum", 0x46: "NetPrintQGetInfo", 0x4D: "NetPrintJobGetInfo",
	0x51: "NetPrintJobDelete", 0x52: "NetPrintJobPause", 0x53: "NetPrintJobContinue", 0x5B: "NetRemoteTOD",
	0x68: "NetServerEnum2", 0x73: "NetUserPasswordSet2", 0x84: "NetWkstaUserLogon", 0x85: "NetWkstaUserLogoff",
	0x93: "NetPrintJobSetInfo", 0xD7: "NetServerEnum3",
}

// trans handles a TRANSACTION: a call to an open pipe, a call that opens and closes one, or RAP.
func (c *smb1Conn) trans(m *smb1.Message, r *smb1.TransRequest, o *op) bool {
	if r.Code != smb1.Transaction {
		return false
	}
	o.s = c.session(m.UID)
	name := strings.ToUpper(r.Name)
	if name == smb1.LANMANPipe {
		if len(r.Parameters) < 2 {
			return false
		}
		o.rap = int(le.Uint16(r.Parameters))
		return true
	}
	if !strings.HasPrefix(name, strings.TrimSuffix(smb1.PipePrefix, `\`)) || len(r.Setup) < 2 {
		return false
	}
	switch r.Setup[0] {
	case smb1.TransTransactNmPipe, smb1.TransWriteNmPipe, smb1.TransRawWriteNmPipe:
		p, known := c.openOf(m.TID, r.Setup[1])
		if p == nil && !known && isRPC(r.Data, int(r.TotalDataCount)) {
			p = c.adoptOpen(m, r.Setup[1])
		}
		if p == nil {
			return false
		}
		o.p = p
	case smb1.TransReadNmPipe, smb1.TransRawReadNmPipe:
		p, _ := c.openOf(m.TID, r.Setup[1])
		if p == nil {
			return false
		}
		o.p = p
	case smb1.TransCallNmPipe:
		o.p = c.newPipe(o.s, pipeName(r.Name))
		o.closes = true
	default:
		return false
	}
	o.p.s = o.s
	o.from = o.p.seq
	o.total, o.have = int(r.TotalDataCount), len(r.Data)
	c.rpc(o.p, flow.ToServer, r.Data)
	o.to = o.p.seq
	return true
}

// secondary handles the continuation of a transaction's request.
func (c *smb1Conn) secondary(m *smb1.Message) {
	q := c.requests[c.keyOf(&m.Header)]
	if q == nil || len(q.ops) == 0 || q.ops[0].command != smb1.Transaction || q.ops[0].p == nil {
		return
	}
	body, err := m.Decode(0)
	r, ok := body.(*smb1.TransSecondary)
	o := &q.ops[0]
	if err != nil || !ok || int(r.DataDisplacement) != o.have || o.have+len(r.Data) > o.total {
		c.f.giveUp(badFrame)
		c.reset(o.p, flow.ToServer)
		return
	}
	o.have += len(r.Data)
	c.rpc(o.p, flow.ToServer, r.Data)
	o.to = o.p.seq
}

// transacted handles one part of a transaction's answer; true if more follow.
func (c *smb1Conn) transacted(q *smb1Request, o *op, body smb1.Body, st status.NTStatus) bool {
	r, ok := body.(*smb1.TransResponse)
	if !ok && !st.IsError() && o.to != answering {
		return true // the interim answer, which asks for the secondary requests
	}
	if o.rap >= 0 {
		u := c.rapUse(q, o)
		switch {
		case ok && len(r.Parameters) >= 2:
			u.Outcome,
				u.Status = returnOutcome(dcerpc.Returned{
				Kind: dcerpc.ReturnWError,
				Code: uint32(le.Uint16(r.Parameters)),
			})
		case st.IsError():
			u.Outcome, u.Status = smbOutcome(model.LayerCall, st), st.String()
		default:
			u.Outcome = model.Inconclusive
		}
		c.f.sink.Add(u)
		o.rap = -1
		return false
	}
	if o.p == nil {
		return false
	}
	if !ok {
		c.failCalls(o.p, o.from, o.to, st)
	} else {
		if o.to != answering { // from now on have and total count the answer
			o.to, o.have, o.total = answering, 0, int(r.TotalDataCount)
		}
		if int(r.DataDisplacement) != o.have {
			c.reset(o.p, flow.ToClient)
		}
		o.have = int(r.DataDisplacement) + len(r.Data)
		c.rpc(o.p, flow.ToClient, r.Data)
		if o.have < o.total && len(r.Data) > 0 {
			return true
		}
	}
	if o.closes {
		c.endPipe(o.p)
	}
	return false
}

// answering marks an op whose answer has begun.
const answering = -1

func (c *smb1Conn) rapUse(q *smb1Request, o *op) model.Use {
	s := c.session(o.uid)
	u := c.useIn(s, s.who, model.LayerCall, q.at)
	u.Share, u.Pipe, u.Interface, u.Opnum = ipcShare, "lanman", "rap", o.rap
	if u.Call = rapFunctions[o.rap]; u.Call == "" {
		u.Call = fmt.Sprintf("function %d", o.rap)
	}
	return u
}
