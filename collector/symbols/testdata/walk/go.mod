module walk

go 1.20
