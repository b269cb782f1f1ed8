import ArgumentParser
import SolarImage

/// An instrument by name, or `auto` for any.
struct InstrumentChoice: ExpressibleByArgument {
    /// Nil for any.
    var instrument: Instrument?

    static let auto = InstrumentChoice(instrument: nil)

    init(instrument: Instrument?) { self.instrument = instrument }

    init?(argument: String) {
        instrument = Instrument.all.first { $0.name == argument }
        guard instrument != nil || argument == "auto" else { return nil }
    }

    var defaultValueDescription: String { instrument?.name ?? "auto" }
    static var allValueStrings: [String] { ["auto"] + Instrument.all.map(\.name) }
}

/// An instrument that can be simulated.
struct SimulatedInstrument: ExpressibleByArgument {
    var instrument: Instrument

    init?(argument: String) {
        guard let instrument = Instrument.all.first(where: { $0.name == argument && $0.degradation != nil }) else { return nil }
        self.instrument = instrument
    }

    static var allValueStrings: [String] { Instrument.all.filter { $0.degradation != nil }.map(\.name) }
    static var list: String { allValueStrings.joined(separator: ", ") }
}
