package bench

import "slices"

// Median returns the middle of values, or the mean of the two in the middle, and
// 0 of none. values is not changed.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// Ratios divides values by the floor of the same round. Rounds that have no
// floor above 0 are left out.
func Ratios(values, floor []float64) []float64 {
	var out []float64
	for i, v := range values {
		if i < len(floor) && floor[i] > 0 {
			out = append(out, v/floor[i])
		}
	}
	return out
}
