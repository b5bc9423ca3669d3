// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Utils} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Utils.sol";
import {ERC721Burnable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Burnable.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {UniverseTemplate} from "./UniverseTemplate.sol";
import {UniverseClasses} from "./UniverseClasses.sol";

/// @title A universe's unique items
/// @notice ERC-721. A token's class is its id without the low 64 bits. Contracts that get minted tokens are asked
/// whether they take them, after everything of the batch was written.
contract UniverseERC721 is ERC721Burnable, UniverseClasses, IERC4906 {
    /// Ever minted and burned, in one slot.
    uint128 private _minted;
    uint128 private _burned;

    /// A token is one: MintItem.amount must be 1.
    error InvalidAmount(uint256 amount);

    constructor(string memory name_, string memory symbol_, string memory baseURI, address admin, address minter)
        ERC721(name_, symbol_)
        UniverseClasses(baseURI)
        UniverseTemplate(admin, minter)
    {}

    function mint(bytes32 referenceId, address to, uint256 id) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        _minted += 1;
        _mintOne(referenceId, to, id);
        ERC721Utils.checkOnERC721Received(_msgSender(), address(0), to, id, "");
    }

    function mintBatch(MintItem[] calldata items) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        _minted += uint128(items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            MintItem calldata item = items[i];
            if (item.amount != 1) revert InvalidAmount(item.amount);
            _mintOne(item.referenceId, item.to, item.id);
        }
        for (uint256 i = 0; i < items.length; ++i) {
            ERC721Utils.checkOnERC721Received(_msgSender(), address(0), items[i].to, items[i].id, "");
        }
    }

    function totalSupply() external view returns (uint256) {
        return _minted - _burned;
    }

    function tokenURI(uint256 id) public view override returns (string memory) {
        _requireOwned(id);
        return _metadataURI(Strings.toString(id));
    }

    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC721, UniverseClasses, IERC165)
        returns (bool)
    {
        return interfaceId == bytes4(0x49064906) || super.supportsInterface(interfaceId);
    }

    function _mintOne(bytes32 referenceId, address to, uint256 id) private {
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));
        _useReference(referenceId, to);
        _countMinted(id >> 64, 1);
        // Not the override below: the call was let through once, and nothing is burned.
        if (ERC721._update(to, id, address(0)) != address(0)) revert ERC721InvalidSender(address(0));
    }

    function _update(address to, uint256 id, address auth) internal override returns (address from) {
        _requireMoving();
        from = super._update(to, id, auth);
        if (to == address(0)) _burned += 1;
    }

    function _metadataChanged(uint256 id) internal override {
        emit BatchMetadataUpdate(id << 64, id << 64 | type(uint64).max);
    }

    function _allMetadataChanged() internal override {
        emit BatchMetadataUpdate(0, type(uint256).max);
    }
}
