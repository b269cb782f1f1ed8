import Foundation

extension FITSHeader {
    /// Brings the keywords that state the statistics of the pixels into line with `image`: those present are computed anew, others of the kind
    /// removed.
    ///
    /// `DATARMS` is the standard deviation (of a sample, by n − 1), `DATAKURT` the excess kurtosis, `TOT_FLUX` the sum of absolute values in Gauss,
    /// as HMI and MDI define them.
    public mutating func updateStatistics(of image: Image) {
        for keyword in FITSHeader.otherStatistics { remove(keyword) }
        var (count, sum, absolute) = (0.0, 0.0, 0.0)
        var (least, greatest) = (Float.infinity, -Float.infinity)
        for value in image.pixels where value.isFinite {
            count += 1
            sum += Double(value)
            absolute += Double(abs(value))
            (least, greatest) = (min(least, value), max(greatest, value))
        }
        let mean = sum / count
        var (second, third, fourth) = (0.0, 0.0, 0.0)
        for value in image.pixels where value.isFinite {
            let deviation = Double(value) - mean
            second += deviation * deviation
            third += deviation * deviation * deviation
            fourth += deviation * deviation * deviation * deviation
        }
        let variance = second / count, deviation = (second / (count - 1)).squareRoot()
        let statistics: [(String, Double)] = [
            ("DATAMIN", Double(least)), ("_DATAMIN", Double(least)), ("DATAMAX", Double(greatest)), ("_DATAMAX", Double(greatest)),
            ("DATAMEAN", mean),
            ("DATARMS", deviation), ("DATA_RMS", deviation), ("DATASKEW", third / count / (variance * variance.squareRoot())),
            ("DATAKURT", fourth / count / (variance * variance) - 3), ("TOT_FLUX", absolute), ("AVG_FLUX", absolute / count), ("MEAN_FLD", mean),
        ]
        // An image without a value, or of one value alone, has no statistics of some kinds; they become undefined.
        for (keyword, value) in statistics where contains(keyword) { set(keyword, .real(value)) }
        for (keyword, value) in [("DATAVALS", Int(count)), ("NPIXFLUX", Int(count)), ("MISSVALS", image.pixels.count - Int(count))]
        where contains(keyword) {
            set(keyword, .integer(value))
        }
    }

    /// The median, which costs a sort, and HMI's statistics within 99 % of the solar radius.
    private static let otherStatistics = [
        "DATAMEDN", "TOTVALS", "PERCENTD", "DATAMIN2", "DATAMAX2", "DATAMED2", "DATAMEA2", "DATARMS2", "DATASKE2", "DATAKUR2",
    ]
}
