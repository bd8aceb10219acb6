package smb2

// TransformLen is the length of a transform header, in bytes. AAD starts at TransformAAD.
const (
	TransformLen = 52
	TransformAAD = 20
)
