import ArgumentParser
struct Prepare: ParsableCommand {}
