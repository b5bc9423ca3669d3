// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {UniverseTemplate} from "./UniverseTemplate.sol";

/// @title Asset classes: caps in storage, descriptions in events; where metadata is served; royalties
/// @notice A class is defined once and its cap is final. The cap bounds what was ever minted: burning makes no room.
abstract contract UniverseClasses is UniverseTemplate, ERC2981 {
    uint256 private constant METADATA_MAX_BYTES = 2048;
    /// Stored as the cap of a class that has none.
    uint256 private constant NO_CAP = type(uint128).max;

    string private _base;
    /// Cap in the upper half, 0 while undefined; ever minted in the lower half.
    mapping(uint256 id => uint256) private _classes;

    /// `metadataJson` is an object {name, description?, image?, rarity?, variations?, attributes?}.
    event ClassDefined(uint256 indexed id, uint256 maxSupply, bytes metadataJson);
    /// Replaces the description of a class.
    event ClassMetadataChanged(uint256 indexed id, bytes metadataJson);
    event BaseURIChanged(string baseURI);

    error UnknownClass(uint256 id);
    error ClassExists(uint256 id);
    error SupplyExceeded(uint256 id, uint256 maxSupply);
    /// More than 2^128 - 2.
    error InvalidMaxSupply(uint256 maxSupply);
    /// More than 2,048 bytes.
    error MetadataTooLong(uint256 length);

    modifier onlyEditor() {
        if (!hasRole(DEFAULT_ADMIN_ROLE, _msgSender())) _checkRole(MINTER_ROLE);
        _;
    }

    constructor(string memory baseURI) {
        _base = baseURI;
    }

    /// @notice Once per id. maxSupply 0: no cap. Admin or minter.
    function defineClass(uint256 id, uint256 maxSupply, bytes calldata metadataJson) external onlyEditor {
        if (_classes[id] != 0) revert ClassExists(id);
        if (maxSupply >= NO_CAP) revert InvalidMaxSupply(maxSupply);
        _checkLength(metadataJson);
        _classes[id] = (maxSupply == 0 ? NO_CAP : maxSupply) << 128;
        emit ClassDefined(id, maxSupply, metadataJson);
        _metadataChanged(id);
    }

    /// @notice Describes a class anew; its cap stays. Admin or minter.
    function setClassMetadata(uint256 id, bytes calldata metadataJson) external onlyEditor {
        if (_classes[id] == 0) revert UnknownClass(id);
        _checkLength(metadataJson);
        emit ClassMetadataChanged(id, metadataJson);
        _metadataChanged(id);
    }

    /// @notice `minted` is what was ever minted.
    function classOf(uint256 id) external view returns (bool defined, uint256 maxSupply, uint256 minted) {
        uint256 cap = _classes[id] >> 128;
        return (cap != 0, cap == NO_CAP ? 0 : cap, _mintedOf(id));
    }

    /// @notice Where metadata is served: what comes before the contract's address.
    function setBaseURI(string calldata baseURI) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _base = baseURI;
        emit BaseURIChanged(baseURI);
        _allMetadataChanged();
    }

    /// @notice What marketplaces are asked to pay on sales, in hundredths of a percent; 0: nothing. ERC-2981.
    function setRoyalty(address receiver, uint96 basisPoints) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (basisPoints == 0) _deleteDefaultRoyalty();
        else _setDefaultRoyalty(receiver, basisPoints);
    }

    function supportsInterface(bytes4 interfaceId) public view virtual override(AccessControl, ERC2981) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    function _mintedOf(uint256 id) internal view returns (uint256) {
        return uint128(_classes[id]);
    }

    /// @dev Counts a mint against the cap.
    function _countMinted(uint256 id, uint256 amount) internal {
        uint256 class = _classes[id];
        uint256 cap = class >> 128;
        if (cap == 0) revert UnknownClass(id);
        unchecked {
            if (amount > cap - uint128(class)) revert SupplyExceeded(id, cap == NO_CAP ? 0 : cap);
            _classes[id] = class + amount; // stays in the lower half: at most the cap
        }
    }

    function _metadataURI(string memory id) internal view returns (string memory) {
        return string.concat(_base, Strings.toHexString(address(this)), "/metadata/", id);
    }

    /// @dev Tells the standard's listeners that the metadata of a class's tokens is to be read again.
    function _metadataChanged(uint256 id) internal virtual;

    /// @dev The same for all classes, as far as the standard has a way to say so.
    function _allMetadataChanged() internal virtual {}

    function _checkLength(bytes calldata metadataJson) private pure {
        if (metadataJson.length > METADATA_MAX_BYTES) revert MetadataTooLong(metadataJson.length);
    }
}
