// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract Coin is ERC20, Ownable {
    error AboveCap(uint256 asked, uint256 cap);

    uint256 public constant CAP = 1_000_000 ether;

    constructor(address owner) ERC20("Coin", "COIN") Ownable(owner) {}

    function mint(address to, uint256 value) external onlyOwner {
        if (totalSupply() + value > CAP) revert AboveCap(totalSupply() + value, CAP);
        _mint(to, value);
    }

    function fail(string calldata reason) external pure {
        revert(reason);
    }

    function panic(uint256 index) external pure returns (uint256) {
        uint256[] memory none = new uint256[](1);
        return none[index];
    }
}

contract Items is ERC1155, Ownable {
    constructor(address owner) ERC1155("https://example.org/{id}.json") Ownable(owner) {}

    function mint(address to, uint256 id, uint256 value) external onlyOwner {
        _mint(to, id, value, "");
    }

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata values) external onlyOwner {
        _mintBatch(to, ids, values, "");
    }
}
