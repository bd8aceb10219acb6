package smb1

// TransRequest begins a transaction. Of NT_TRANSACT the counts have 32 bits, of the others 16.
//
// See [MS-CIFS] 2.2.4.33.1, 2.2.4.46.1 and 2.2.4.62.1.
type TransRequest struct {
	Code                                Command // Transaction, Transaction2 or NTTransact
	TotalParameterCount, TotalDataCount uint32
	MaxParameterCount, MaxDataCount     uint32
	MaxSetupCount                       byte
	Flags                               uint16 // not of NT_TRANSACT, as Timeout
	Timeout                             uint32 // milliseconds
	Function                            uint16 // of NT_TRANSACT
	Setup                               []uint16
	Name                                string // only of TRANSACTION; \PIPE\ for named pipes
	ParameterOffset, DataOffset         uint32
	Parameters, Data                    []byte
	Extra                               []byte // padding behind the data, which some clients send
}

// Command is Code.
func (m *TransRequest) Command() Command { return m.Code }

func (m *TransRequest) decode(r *reader) {
	begin := r.pos
	var parameters, data uint32
	var setup int
	if m.Code == NTTransact {
		m.MaxSetupCount = r.u8()
		r.u16()
		m.TotalParameterCount, m.TotalDataCount, m.MaxParameterCount, m.MaxDataCount = r.u32(), r.u32(), r.u32(),
			r.u32()
		parameters, m.ParameterOffset, data, m.DataOffset = r.u32(), r.u32(), r.u32(), r.u32()
		setup = int(r.u8())
		m.Function = r.u16()
	} else {
		u16 := func() uint32 { return uint32(r.u16()) }
		m.TotalParameterCount, m.TotalDataCount, m.MaxParameterCount, m.MaxDataCount = u16(), u16(), u16(), u16()
		m.MaxSetupCount = r.u8()
		r.u8()
		m.Flags, m.Timeout = r.u16(), r.u32()
		r.u16()
		parameters, m.ParameterOffset, data, m.DataOffset = u16(), u16(), u16(), u16()
		setup = int(r.u8())
		r.u8()
	}
	m.Setup = r.setup(setup)
	if m.Code == Transaction && r.err == nil {
		m.Name = r.text()
	}
	m.Parameters = r.at(m.ParameterOffset, parameters, begin)
	m.Data = r.at(m.DataOffset, data, begin)
	m.Extra = r.rest()
}

func (r *reader) setup(n int) []uint16 {
	if 2*n > len(r.words) {
		r.fail("%d setup words in %d bytes", n, len(r.words))
		return nil
	}
	var s []uint16
	for range n {
		s = append(s, r.u16())
	}
	return s
}

func (m *TransRequest) encode(w *writer) {
	wide := m.Code == NTTransact
	var fields transFields
	if wide {
		w.u8(m.MaxSetupCount)
		w.u16(0)
	}
	for _, v := range []uint32{m.TotalParameterCount, m.TotalDataCount, m.MaxParameterCount, m.MaxDataCount} {
		w.wide(wide, v)
	}
	if !wide {
		w.u8(m.MaxSetupCount)
		w.u8(0)
		w.u16(m.Flags)
		w.u32(m.Timeout)
		w.u16(0)
	}
	fields.reserve(w, wide, m.Parameters, m.Data, nil, nil)
	w.u8(byte(len(m.Setup)))
	if wide {
		w.u16(m.Function)
	} else {
		w.u8(0)
	}
	for _, s := range m.Setup {
		w.u16(s)
	}
	w.bytes()
	switch m.Code {
	case Transaction:
		w.text(m.Name)
	case Transaction2:
		w.u8(0) // the name's place
	}
	fields.fill(w, wide, m.Parameters, m.Data, m.ParameterOffset, m.DataOffset)
	w.raw(m.Extra)
}

func (w *writer) wide(wide bool, v uint32) {
	if wide {
		w.u32(v)
	} else {
		w.u16(uint16(v))
	}
}

// transFields remembers where the offsets of parameters and data go.
type transFields struct{ parameters, data int }

// reserve writes the counts, and the displacements where there are some.
func (f *transFields) reserve(w *writer, wide bool, parameters, data []byte, pd, dd *uint32) {
	w.wide(wide, uint32(len(parameters)))
	f.parameters = len(w.b)
	w.wide(wide, 0)
	if pd != nil {
		w.wide(wide, *pd)
	}
	w.wide(wide, uint32(len(data)))
	f.data = len(w.b)
	w.wide(wide, 0)
	if dd != nil {
		w.wide(wide, *dd)
	}
}

// fill writes parameters and data where they are wished, or aligned to four bytes. An offset that is wished for nothing
// is written as it is, since peers disagree on it.
func (f *transFields) fill(w *writer, wide bool, parameters, data []byte, po, do uint32) {
	for _, p := range []struct {
		field  int
		wished uint32
		bytes  []byte
	}{{f.parameters, po, parameters}, {f.data, do, data}} {
		at := p.wished
		if len(p.bytes) > 0 {
			w.padTo(p.wished, 4)
			at = uint32(w.at())
		}
		if wide {
			w.setU32(p.field, at)
		} else {
			w.setU16(p.field, uint16(at))
		}
		w.raw(p.bytes)
	}
}

// TransSecondary carries on with a transaction that did not fit in one request.
//
// See [MS-CIFS] 2.2.4.34.1, 2.2.4.47.1 and 2.2.4.63.1.
type TransSecondary struct {
	// TransactionSecondary, Transaction2Secondary or NTTransactSecondary.
	Code                                    Command
	TotalParameterCount, TotalDataCount     uint32
	ParameterOffset, DataOffset             uint32
	ParameterDisplacement, DataDisplacement uint32
	FID                                     uint16 // of Transaction2Secondary
	Parameters, Data                        []byte
	Extra                                   []byte
}

// Command is Code.
func (m *TransSecondary) Command() Command { return m.Code }

func (m *TransSecondary) decode(r *reader) {
	begin := r.pos
	next := func() uint32 { return uint32(r.u16()) }
	if m.Code == NTTransactSecondary {
		next = r.u32
		r.word(3)
	}
	m.TotalParameterCount, m.TotalDataCount = next(), next()
	var parameters, data uint32
	parameters, m.ParameterOffset, m.ParameterDisplacement = next(), next(), next()
	data, m.DataOffset, m.DataDisplacement = next(), next(), next()
	if m.Code == Transaction2Secondary {
		m.FID = r.u16()
	}
	m.Parameters = r.at(m.ParameterOffset, parameters, begin)
	m.Data = r.at(m.DataOffset, data, begin)
	m.Extra = r.rest()
}

func (m *TransSecondary) encode(w *writer) {
	wide := m.Code == NTTransactSecondary
	var fields transFields
	if wide {
		w.raw(make([]byte, 3))
	}
	w.wide(wide, m.TotalParameterCount)
	w.wide(wide, m.TotalDataCount)
	fields.reserve(w, wide, m.Parameters, m.Data, &m.ParameterDisplacement, &m.DataDisplacement)
	if m.Code == Transaction2Secondary {
		w.u16(m.FID)
	}
	if wide {
		w.u8(0)
	}
	w.bytes()
	fields.fill(w, wide, m.Parameters, m.Data, m.ParameterOffset, m.DataOffset)
	w.raw(m.Extra)
}

// TransResponse is one part of the answer of a transaction. An interim answer, which asks for the secondary requests,
// has no words and is a *Generic.
//
// See [MS-CIFS] 2.2.4.33.2, 2.2.4.46.2 and 2.2.4.62.2.
type TransResponse struct {
	Code                                    Command // Transaction, Transaction2 or NTTransact
	TotalParameterCount, TotalDataCount     uint32
	ParameterOffset, DataOffset             uint32
	ParameterDisplacement, DataDisplacement uint32
	Setup                                   []uint16
	Parameters, Data                        []byte
	Extra                                   []byte
}

// Command is Code.
func (m *TransResponse) Command() Command { return m.Code }

func (m *TransResponse) decode(r *reader) {
	begin := r.pos
	next := func() uint32 { return uint32(r.u16()) }
	if m.Code == NTTransact {
		next = r.u32
		r.word(3)
	}
	m.TotalParameterCount, m.TotalDataCount = next(), next()
	if m.Code != NTTransact {
		r.u16()
	}
	var parameters, data uint32
	parameters, m.ParameterOffset, m.ParameterDisplacement = next(), next(), next()
	data, m.DataOffset, m.DataDisplacement = next(), next(), next()
	setup := int(r.u8())
	if m.Code != NTTransact {
		r.u8()
	}
	m.Setup = r.setup(setup)
	m.Parameters = r.at(m.ParameterOffset, parameters, begin)
	m.Data = r.at(m.DataOffset, data, begin)
	m.Extra = r.rest()
}

func (m *TransResponse) encode(w *writer) {
	wide := m.Code == NTTransact
	var fields transFields
	if wide {
		w.raw(make([]byte, 3))
	}
	w.wide(wide, m.TotalParameterCount)
	w.wide(wide, m.TotalDataCount)
	if !wide {
		w.u16(0)
	}
	fields.reserve(w, wide, m.Parameters, m.Data, &m.ParameterDisplacement, &m.DataDisplacement)
	w.u8(byte(len(m.Setup)))
	if !wide {
		w.u8(0)
	}
	for _, s := range m.Setup {
		w.u16(s)
	}
	w.bytes()
	fields.fill(w, wide, m.Parameters, m.Data, m.ParameterOffset, m.DataOffset)
	w.raw(m.Extra)
}
