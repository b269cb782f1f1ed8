extension MetricGroup {
    /// The distance of the predictions of all maps from their truths, as two sets of images.
    static let frechetDistance = frechetDistance(of: "image features")

    /// - Parameter features: the name of the space in which it is measured, which belongs to the figure: distances in different spaces do not compare.
    static func frechetDistance(of features: String) -> MetricGroup {
        MetricGroup(
            name: "fid", metrics: [Metric(key: "frechet", name: "Fréchet distance of \(features)", better: .lower, decimals: 3)], scoring: .wholeSet)
    }
}
