import Foundation

extension FITSHeader {
    /// Brings the keywords that state the statistics of the pixels into line with `image`: those present are computed anew, others of the kind
    /// removed.
    ///
    /// `MISSVALS` counts the pixels without a value of those expected to have one, in HMI's and MDI's files those on the disk, and `TOTVALS` all expected:
    /// 0 stays true of whatever is made of an image, any other number does not. `DATARMS` is the standard deviation (of a sample, by n − 1), `DATAKURT` the excess kurtosis, `TOT_FLUX` the sum of absolute values in Gauss,
    /// as HMI and MDI define them.
    public mutating func updateStatistics(of image: Image) { updateStatistics(PixelStatistics(of: image)) }

    /// The same, of an image whose statistics are known.
    package mutating func updateStatistics(_ known: PixelStatistics) {
        let isComplete = integer("MISSVALS") == 0
        for keyword in FITSHeader.otherStatistics { remove(keyword) }
        let (count, mean, absolute) = (Double(known.count), known.mean, known.unsignedSum)
        let (variance, third, fourth) = known.moments
        let deviation = (variance * count / (count - 1)).squareRoot()
        let statistics: [(String, Double)] = [
            ("DATAMIN", known.minimum), ("_DATAMIN", known.minimum), ("DATAMAX", known.maximum), ("_DATAMAX", known.maximum),
            ("DATAMEAN", mean),
            ("DATARMS", deviation), ("DATA_RMS", deviation), ("DATASKEW", third / (variance * variance.squareRoot())),
            ("DATAKURT", fourth / (variance * variance) - 3), ("TOT_FLUX", absolute), ("AVG_FLUX", absolute / count), ("MEAN_FLD", mean),
        ]
        // An image without a value, or of one value alone, has no statistics of some kinds; they become undefined.
        for (keyword, value) in statistics where contains(keyword) { set(keyword, .real(value)) }
        for keyword in ["DATAVALS", "NPIXFLUX"] + (isComplete ? ["TOTVALS"] : []) where contains(keyword) { set(keyword, .integer(known.count)) }
        if !isComplete { for keyword in ["MISSVALS", "TOTVALS"] { remove(keyword) } }
    }

    /// Takes out all keywords that state the statistics of the pixels.
    package mutating func removeStatistics() { for keyword in FITSHeader.knownStatistics + FITSHeader.otherStatistics { remove(keyword) } }

    /// Those that ``updateStatistics(of:)`` computes.
    private static let knownStatistics = [
        "DATAMIN", "_DATAMIN", "DATAMAX", "_DATAMAX", "DATAMEAN", "DATARMS", "DATA_RMS", "DATASKEW", "DATAKURT", "TOT_FLUX", "AVG_FLUX", "MEAN_FLD",
        "DATAVALS", "NPIXFLUX", "MISSVALS", "TOTVALS",
    ]

    /// The median, which costs a sort, and HMI's statistics within 99 % of the solar radius.
    private static let otherStatistics = [
        "DATAMEDN", "PERCENTD", "DATAMIN2", "DATAMAX2", "DATAMED2", "DATAMEA2", "DATARMS2", "DATASKE2", "DATAKUR2",
    ]
}
