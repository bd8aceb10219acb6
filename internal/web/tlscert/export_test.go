package tlscert

// SelfSigned tells whether the certificate was made here.
func (s *Source) SelfSigned() bool { return s.selfSigned }
