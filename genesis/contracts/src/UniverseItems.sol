// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC1155Utils} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Utils.sol";
import {ERC1155Burnable} from "@openzeppelin/contracts/token/ERC1155/extensions/ERC1155Burnable.sol";
import {UniverseClasses} from "./UniverseClasses.sol";
import {UniverseTemplate} from "./UniverseTemplate.sol";

/// @title A universe's items of classes
/// @notice ERC-1155; an id is a class. In a batch, neighbours that go to one account make one event and one question
/// to it, which comes after everything of the batch was written.
contract UniverseItems is ERC1155Burnable, UniverseClasses {
    string public name;
    string public symbol;

    mapping(uint256 id => uint256) private _burned;

    constructor(string memory name_, string memory symbol_, string memory baseURI, address admin, address minter)
        ERC1155("")
        UniverseClasses(baseURI)
        UniverseTemplate(admin, minter)
    {
        name = name_;
        symbol = symbol_;
    }

    function mint(bytes32 referenceId, address to, uint256 id, uint256 amount) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        uint256[] memory ids = new uint256[](1);
        uint256[] memory amounts = new uint256[](1);
        (ids[0], amounts[0]) = (id, amount);
        _useReference(referenceId, to);
        _countMinted(id, amount);
        _credit(to, ids, amounts);
        _ask(to, ids, amounts);
    }

    function mintBatch(MintItem[] calldata items) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        for (uint256 i = 0; i < items.length;) {
            (uint256 next, address to, uint256[] memory ids, uint256[] memory amounts) = _run(items, i);
            for (; i < next; ++i) {
                _useReference(items[i].referenceId, to);
                _countMinted(items[i].id, items[i].amount);
            }
            _credit(to, ids, amounts);
        }
        for (uint256 i = 0; i < items.length;) {
            if (items[i].to.code.length == 0) {
                ++i;
                continue;
            }
            (uint256 next, address to, uint256[] memory ids, uint256[] memory amounts) = _run(items, i);
            _ask(to, ids, amounts);
            i = next;
        }
    }

    /// @notice In existence: minted and not burned.
    function totalSupply(uint256 id) external view returns (uint256) {
        return _mintedOf(id) - _burned[id];
    }

    /// @notice The same text for all: clients put the id, 64 hexadecimal digits, in place of {id}.
    function uri(uint256) public view override returns (string memory) {
        return _metadataURI("{id}");
    }

    /// @notice Says URI for each of these classes, as after setBaseURI, which cannot name them all.
    function refreshMetadata(uint256[] calldata ids) external onlyEditor {
        for (uint256 i = 0; i < ids.length; ++i) {
            _metadataChanged(ids[i]);
        }
    }

    function supportsInterface(bytes4 interfaceId) public view override(ERC1155, UniverseClasses) returns (bool) {
        return super.supportsInterface(interfaceId);
    }

    /// @dev The items from `first` on that go to the same account, up to `next`.
    function _run(MintItem[] calldata items, uint256 first)
        private
        pure
        returns (uint256 next, address to, uint256[] memory ids, uint256[] memory amounts)
    {
        to = items[first].to;
        next = first + 1;
        while (next < items.length && items[next].to == to) ++next;
        ids = new uint256[](next - first);
        amounts = new uint256[](next - first);
        for (uint256 i = first; i < next; ++i) {
            (ids[i - first], amounts[i - first]) = (items[i].id, items[i].amount);
        }
    }

    function _credit(address to, uint256[] memory ids, uint256[] memory amounts) private {
        if (to == address(0)) revert ERC1155InvalidReceiver(address(0));
        // Not the override below: the call was let through once, and nothing is burned.
        ERC1155._update(address(0), to, ids, amounts);
    }

    function _ask(address to, uint256[] memory ids, uint256[] memory amounts) private {
        if (ids.length == 1) {
            ERC1155Utils.checkOnERC1155Received(_msgSender(), address(0), to, ids[0], amounts[0], "");
        } else {
            ERC1155Utils.checkOnERC1155BatchReceived(_msgSender(), address(0), to, ids, amounts, "");
        }
    }

    function _update(address from, address to, uint256[] memory ids, uint256[] memory values) internal override {
        _requireMoving();
        super._update(from, to, ids, values);
        if (to != address(0)) return;
        for (uint256 i = 0; i < ids.length; ++i) {
            _burned[ids[i]] += values[i];
        }
    }

    function _metadataChanged(uint256 id) internal override {
        emit URI(uri(id), id);
    }
}
