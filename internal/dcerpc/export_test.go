package dcerpc

import (
	"context"
)

// Only the tests need the following: the other direction of what the program reads or writes.

// InterfaceByName returns an interface by its short name, or nil.
func InterfaceByName(name string) *Interface {
	for _, i := range Interfaces() {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// ShareGetInfo returns one share.
func (s SRVSVCClient) ShareGetInfo(ctx context.Context, server, share string, level uint32) (*NetrShareGetInfoResponse,
	error,
) {
	return invoke[NetrShareGetInfoResponse](ctx, s.Client, SRVSVC, OpNetrShareGetInfo,
		&NetrShareGetInfoRequest{&server, share, level})
}

// CloseServiceHandle closes a handle.
func (s SVCCTLClient) CloseServiceHandle(ctx context.Context, h Handle) (*WHandleResponse, error) {
	return invoke[WHandleResponse](ctx, s.Client, SVCCTL, OpRCloseServiceHandle, &HandleRequest{h})
}

// FeatureSyntax is the transfer syntax that offers the features.
func FeatureSyntax(bits uint8) SyntaxID {
	s := SyntaxID{Major: 1}
	copy(s.UUID[:], featurePrefix[:])
	s.UUID[8] = bits
	return s
}
