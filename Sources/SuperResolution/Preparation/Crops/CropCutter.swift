import SolarImage

/// What cuts the crops of one file.
protocol CropCutter {
    /// Of what crops are placed in.
    var geometry: MapGeometry { get }
    var width: Int { get }
    var height: Int { get }
    /// Whether the file that gives the grid is upside down.
    var isTurned: Bool { get }

    /// Reads what the crops at the places found by `placement` are made of.
    /// - Throws: `Failure` (`.badData`) if a file cannot be read.
    func cuts(by placement: CropPlacement) throws -> [CropCut]
}

/// A crop that can be made.
struct CropCut {
    let frame: CropFrame
    /// Makes it: its field and grid, the low resolution if there is one, and what the headers of both shall tell of their making.
    ///
    /// - Throws: ``Unpaired`` if there is no low resolution that goes with it; `Failure` (`.badData`).
    let make: () throws -> (map: Magnetogram, low: LowResolution?, history: String)
}
