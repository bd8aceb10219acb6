package cli

import "testing"

func TestNearlyFull(t *testing.T) {
	for _, d := range []struct {
		free, size uint64
		want       bool
	}{
		{100 << 20, 1 << 30, true},
		{300 << 20, 1 << 30, false},
		{1 << 30, 100 << 30, true},
		{3 << 30, 100 << 30, false},
		{1 << 30, 4 << 30, false},
	} {
		if got := nearlyFull(d.free, d.size); got != d.want {
			t.Errorf("%d MiB of %d: %v", d.free>>20, d.size>>20, got)
		}
	}
	free, size, err := freeBytes(t.TempDir())
	if err != nil || size == 0 || free > size {
		t.Errorf("%d of %d, %v", free, size, err)
	}
}
