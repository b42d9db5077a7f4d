"""A campaign is a run with a purpose. Here: what every run needs - its folder, its benches, its order of tests, its
end."""
