import Foundation

/// Where an active region stood on the solar disk at one time, as observers reported it.
public struct ActiveRegionPosition: Sendable, Hashable {
    /// When the position held; 00:00 UT in nearly all reports.
    public var time: ObservationTime
    /// The whole number that NOAA gave, such as 11112; summaries print its last four digits.
    public var number: Int
    /// Stonyhurst heliographic latitude in degrees, north positive, −90 to 90. Reports give whole degrees.
    public var latitude: Double
    /// Stonyhurst heliographic longitude in degrees, west positive, −180 to 180; beyond ±90 a region is thought to be behind the limb.
    public var longitude: Double
    /// Area of the spots in millionths of the solar hemisphere; 0 for a plage without spots. Nil if the report does not tell.
    public var area: Int?
    /// Nil if the report does not tell.
    public var spotCount: Int?

    public init(time: ObservationTime, number: Int, latitude: Double, longitude: Double, area: Int? = nil, spotCount: Int? = nil) {
        (self.time, self.number, self.latitude, self.longitude) = (time, number, latitude, longitude)
        (self.area, self.spotCount) = (area, spotCount)
    }

    public var region: Region { .noaa(number) }

    /// As reports write it, such as `N12W41`.
    public var location: String {
        func degrees(_ angle: Double) -> String { String(format: "%02.0f", abs(angle)) }
        return (latitude < 0 ? "S" : "N") + degrees(latitude) + (longitude < 0 ? "E" : "W") + degrees(longitude)
    }
}

extension ActiveRegionPosition {
    /// Reads a report's number and location.
    /// - Parameters:
    ///   - number: of up to five digits. Region 10000 was numbered in June 2002 and reports went on with `0000`, so that 10,000 is added to what they
    ///     give since: to numbers below 5000 in 2002 from June on, to all of up to four digits later.
    ///   - location: such as `N12W41`, latitude first.
    /// - Throws: ``Unreadable`` telling what was expected and found.
    init(time: ObservationTime, number: some StringProtocol, location: some StringProtocol, area: Int?, spotCount: Int?) throws {
        guard let short = Int(number), (0...99999).contains(short) else {
            throw Unreadable(expected: "the number of a region", found: String(number))
        }
        let (year, month, _) = time.date
        let isShortened = short < 10000 && (year > 2002 || (year == 2002 && month >= 6 && short < 5000))
        guard let place = ActiveRegionPosition.place(location) else {
            throw Unreadable(expected: "a location such as N12W41", found: String(location))
        }
        self.init(
            time: time, number: isShortened ? short + 10000 : short, latitude: place.latitude, longitude: place.longitude, area: area,
            spotCount: spotCount)
    }

    /// What cannot be read in a row of a report.
    struct Unreadable: Error {
        var expected: String, found: String
    }

    private static func place(_ text: some StringProtocol) -> (latitude: Double, longitude: Double)? {
        let text = text.uppercased()
        guard let split = text.firstIndex(where: { "EW".contains($0) }) else { return nil }
        func degrees(_ part: Substring, positive: Character, negative: Character, limit: Int) -> Double? {
            guard let hemisphere = part.first, hemisphere == positive || hemisphere == negative else { return nil }
            let digits = part.dropFirst()
            guard (1...3).contains(digits.count), digits.allSatisfy(\.isNumber), let value = Int(digits), value <= limit else { return nil }
            return Double(hemisphere == positive ? value : -value)
        }
        guard let latitude = degrees(text[..<split], positive: "N", negative: "S", limit: 90),
            let longitude = degrees(text[split...], positive: "W", negative: "E", limit: 180)
        else { return nil }
        return (latitude, longitude)
    }
}
